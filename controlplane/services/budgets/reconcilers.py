"""Looks at budgets: who is to be told, what is to be done, and what begins anew with a period."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from controlplane.core.context import Unit
from controlplane.core.errors import AwsError
from controlplane.services.budgets import actions, executing, messages, queries
from controlplane.services.budgets.actions import DEEDS
from controlplane.services.budgets.measuring import Measured, measure
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler
from controlplane.work.wake import wake

BUDGET = "budgets.budget"
EVERY_SECONDS = 30.0
_RETRY_SECONDS = 300.0
_SERVER_ERROR = 500

_STATE = "UPDATE budgets_notifications SET state = $2, told_in = $3 WHERE id = $1"
_ACTION = "SELECT * FROM budgets_actions WHERE id = $1 FOR UPDATE"


def key_of(row: Any) -> str:
    """The key of a budget's row."""
    return f"{row['account_id']}/{row['name']}"


@reconciler(BUDGET, every=EVERY_SECONDS)
async def look(run: Run, key: str) -> Outcome:
    """Measure a budget, and do what its thresholds ask for, all in one transaction: told once, done once."""
    account, _, name = key.partition("/")
    async with run.step() as db:
        row = await queries.lock(db, account, name)
        if row is None:
            return GONE
        assert run.runtime is not None
        measured = await measure(db, run.runtime.cloud.price_table, row, datetime.now(UTC))
        if measured is None:
            return None
        start = measured.period.start
        anew = row["period"] not in (None, start)
        await queries.measured(db, row, start, measured.actual, measured.forecast, measured.budgeted)
        for notification in await queries.notifications(db, account, name):
            await _notify(db, row, notification, measured)
        for action in await queries.actions(db, account, name):
            await _act(db, row, action, measured, anew=anew)
    return None


def _passed(measured: Measured, kind: str, operator: str, threshold: float, threshold_type: str) -> bool:
    value = measured.actual if kind == "ACTUAL" else measured.forecast
    limit = threshold if threshold_type == "ABSOLUTE_VALUE" else measured.budgeted * threshold / 100
    if operator == "GREATER_THAN":
        return value > limit
    return value < limit if operator == "LESS_THAN" else value == limit


async def _notify(db: Unit, row: Any, notification: Any, measured: Measured) -> None:
    """Tell once a period."""
    start, told = measured.period.start, notification["told_in"]
    kind, threshold, unit = notification["type"], notification["threshold"], notification["threshold_type"]
    if not _passed(measured, kind, notification["operator"], threshold, unit):
        if notification["state"] != "OK":
            await db.execute(_STATE, notification["id"], "OK", told)
        return
    if told != start:
        subject, body = messages.about(row, kind, _written(threshold, unit), measured)
        await messages.tell(db, row, notification["subscribers"], subject, body)
    if told != start or notification["state"] != "ALARM":
        await db.execute(_STATE, notification["id"], "ALARM", start)


def _written(threshold: float, unit: str) -> str:
    return f"{threshold:g}%" if unit == "PERCENTAGE" else f"{threshold:g}"


async def _act(db: Unit, row: Any, action: Any, measured: Measured, *, anew: bool) -> None:
    if action["status"] in actions.IN_PROGRESS:
        return
    if anew and action["status"] != "STANDBY":
        await actions.turn(db, action, "RESET_IN_PROGRESS", "SYSTEM", "A new budget period began.")
        await wake(db, DEEDS, action["id"])
        return
    content = action["content"]
    threshold = content["ActionThreshold"]["ActionThresholdValue"]
    unit = content["ActionThreshold"]["ActionThresholdType"]
    kind = content["NotificationType"]
    if action["status"] != "STANDBY" or not _passed(measured, kind, "GREATER_THAN", threshold, unit):
        return
    subject, body = messages.about(row, kind, _written(threshold, unit), measured)
    if content["ApprovalModel"] == "AUTOMATIC":
        await actions.turn(db, action, "EXECUTION_IN_PROGRESS", "SYSTEM", "The action threshold was exceeded.")
        await wake(db, DEEDS, action["id"])
        body += f"\n\nThe action {action['id']} ({content['ActionType']}) is being executed."
    else:
        await actions.turn(db, action, "PENDING", "SYSTEM", "The action threshold was exceeded; approval is needed.")
        body += f"\n\nThe action {action['id']} ({content['ActionType']}) waits for your approval."
    await messages.tell(db, row, content["Subscribers"], subject, body)


@reconciler(DEEDS)
async def act(run: Run, id: str) -> Outcome:
    """Do what an action asks for, or undo it: each call in a transaction of its own. A worker that dies begins again;
    what was done already is then settled."""
    async with run.step() as db:
        row = await db.fetchrow(_ACTION, id)
    if row is None or row["status"] not in actions.IN_PROGRESS:
        return None
    status = row["status"]
    undo, reset = status != "EXECUTION_IN_PROGRESS", status == "RESET_IN_PROGRESS"
    failures = []
    for deed in executing.deeds(row["content"], undo=undo, restart=not reset):
        try:
            async with run.step() as db:
                await deed.do(run, db, row)
        except AwsError as error:
            if error.status >= _SERVER_ERROR and error.code != "NotImplemented":
                raise
            if error.code not in deed.settled:
                failures.append(f"{deed.operation}: {error.code}: {error.message}")
    async with run.step() as db:
        row = await db.fetchrow(_ACTION, id)
        if row is None or row["status"] != status:
            return None
        await _ended(db, row, status.removesuffix("_IN_PROGRESS"), failures)
    return None


async def _ended(db: Unit, row: Any, what: str, failures: list[str]) -> None:
    if failures:
        await actions.turn(db, row, f"{what}_FAILURE", "SYSTEM", "; ".join(failures))
    elif what == "RESET":
        await actions.turn(db, row, "STANDBY", "SYSTEM", "The action was reset.")
        await wake(db, BUDGET, f"{row['account_id']}/{row['budget']}")
    else:
        await actions.turn(db, row, f"{what}_SUCCESS", "SYSTEM", "The action was completed.")


@reconciler(messages.MESSAGE)
async def send(run: Run, id: str) -> Outcome:
    """Hand a message on; where that fails it is tried again as long as the message is kept."""
    try:
        async with run.step() as db:
            message = await messages.find(db, id)
            if message is not None:
                await messages.hand_on(run, db, message)
        return None
    except AwsError as error:
        failure = error.code
    async with run.step() as db:
        await messages.failed(db, id, failure)
    return Again(_RETRY_SECONDS)
