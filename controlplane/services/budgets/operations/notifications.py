"""Notifications and their subscribers."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.budgets import budgets, notifications, paging, queries
from controlplane.services.budgets.budgets import on_account, on_budget
from controlplane.services.budgets.errors import (
    DuplicateRecordException,
    InvalidParameterException,
    NotFoundException,
)
from controlplane.services.budgets.reconcilers import BUDGET, key_of

_CHANGE = """
UPDATE budgets_notifications
SET type = $2, operator = $3, threshold = $4, threshold_type = $5, state = 'OK', told_in = NULL WHERE id = $1
"""
_SUBSCRIBE = "UPDATE budgets_notifications SET subscribers = $2 WHERE id = $1"
_PAGE = 100


@operation("CreateNotification", on=on_budget, action="budgets:ModifyBudget")
async def create_notification(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, DuplicateRecordException, CreationLimitExceededException."""
    row = await budgets.locked(ctx, request)
    await notifications.create(ctx.db, row, request["Notification"], request["Subscribers"])
    await ctx.wake(BUDGET, key_of(row))
    return {}


@operation("UpdateNotification", on=on_budget, action="budgets:ModifyBudget")
async def update_notification(ctx: Context, request: Any) -> dict[str, Any]:
    """Give a notification other terms; its subscribers stay. Raises NotFoundException, DuplicateRecordException."""
    row = await budgets.locked(ctx, request)
    found = await notifications.named(ctx.db, row, request["OldNotification"])
    wanted = notifications.terms(request["NewNotification"])
    other = await queries.notification(ctx.db, row["account_id"], row["name"], *wanted)
    if other is not None and other["id"] != found["id"]:
        raise DuplicateRecordException("Unable to update notification - the notification already exists.")
    await ctx.db.execute(_CHANGE, found["id"], *wanted)
    await ctx.wake(BUDGET, key_of(row))
    return {}


@operation("DeleteNotification", on=on_budget, action="budgets:ModifyBudget")
async def delete_notification(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = await budgets.locked(ctx, request)
    found = await notifications.named(ctx.db, row, request["Notification"])
    await ctx.db.execute("DELETE FROM budgets_notifications WHERE id = $1", found["id"])
    return {}


@operation("DescribeNotificationsForBudget", on=on_budget, action="budgets:ViewBudget")
async def describe_notifications_for_budget(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = _existing(ctx, request)
    rows = await queries.notifications(ctx.db, row["account_id"], row["name"])
    return paging.slice_of(request, "Notifications", [notifications.shown(item) for item in rows])


@operation("DescribeBudgetNotificationsForAccount", on=on_account, action="budgets:ViewBudget")
async def describe_budget_notifications_for_account(ctx: Context, request: Any) -> dict[str, Any]:
    """The notifications of each budget."""
    limit = int(request.get("MaxResults") or _PAGE)
    rows = await queries.page(ctx.db, request["AccountId"], paging.position(request, str, ""), limit + 1)
    shown = []
    for row in rows[:limit]:
        items = await queries.notifications(ctx.db, row["account_id"], row["name"])
        shown.append({"BudgetName": row["name"], "Notifications": [notifications.shown(item) for item in items]})
    return {"BudgetNotificationsForAccount": shown, **paging.more(rows, limit, "name")}


def _existing(ctx: Context, request: Any) -> Any:
    row = ctx.resources[0].row
    if row is None:
        raise budgets.missing(request["BudgetName"])
    return row


async def _subscribed(ctx: Context, request: Any) -> tuple[Any, list[dict[str, str]]]:
    """The notification of a request and a copy of its subscribers, the budget locked."""
    row = await budgets.locked(ctx, request)
    found = await notifications.named(ctx.db, row, request["Notification"])
    return found, list(found["subscribers"])


def _place(people: list[dict[str, str]], subscriber: dict[str, str]) -> int:
    if subscriber not in people:
        raise NotFoundException("Unable to get subscriber - the subscriber doesn't exist.")
    return people.index(subscriber)


@operation("CreateSubscriber", on=on_budget, action="budgets:ModifyBudget")
async def create_subscriber(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, DuplicateRecordException, CreationLimitExceededException."""
    found, people = await _subscribed(ctx, request)
    people = notifications.subscribers([*people, request["Subscriber"]])
    await ctx.db.execute(_SUBSCRIBE, found["id"], people)
    return {}


@operation("UpdateSubscriber", on=on_budget, action="budgets:ModifyBudget")
async def update_subscriber(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, DuplicateRecordException."""
    found, people = await _subscribed(ctx, request)
    people[_place(people, dict(request["OldSubscriber"]))] = dict(request["NewSubscriber"])
    await ctx.db.execute(_SUBSCRIBE, found["id"], notifications.subscribers(people))
    return {}


@operation("DeleteSubscriber", on=on_budget, action="budgets:ModifyBudget")
async def delete_subscriber(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException; the last one goes only with its notification."""
    found, people = await _subscribed(ctx, request)
    people.pop(_place(people, dict(request["Subscriber"])))
    if not people:
        raise InvalidParameterException("A notification needs at least one subscriber.")
    await ctx.db.execute(_SUBSCRIBE, found["id"], people)
    return {}


@operation("DescribeSubscribersForNotification", on=on_budget, action="budgets:ViewBudget")
async def describe_subscribers_for_notification(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = _existing(ctx, request)
    found = await notifications.named(ctx.db, row, request["Notification"])
    return paging.slice_of(request, "Subscribers", list(found["subscribers"]))
