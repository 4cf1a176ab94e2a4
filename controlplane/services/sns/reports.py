"""What became of messages, for topics, applications and accounts that ask for it: lines for CloudWatch Logs.

They are noted in the transaction of the delivery, which costs it one statement, and written into log groups by a
reconciler, with the role that was named for it.
Source: "Amazon SNS message delivery status" in the SNS developer guide.
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import orjson

from controlplane.access.assuming import assume
from controlplane.core.arn import Arn, arn
from controlplane.core.context import Context, Unit
from controlplane.core.errors import AwsError
from controlplane.state.sealing import Sealer
from controlplane.work.reconciler import Run

log = logging.getLogger(__name__)

SERVICE = "sns.amazonaws.com"
PURPOSE = "sns-report"
_INSERT = """
INSERT INTO sns_delivery_reports (account_id, region, log_group, role_arn, content)
SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::bytea[])
"""
_NEXT = "SELECT * FROM sns_delivery_reports ORDER BY id LIMIT 1"
_ALIKE = """
SELECT * FROM sns_delivery_reports WHERE account_id = $1 AND region = $2 AND log_group = $3
AND role_arn IS NOT DISTINCT FROM $4 AND id >= $5 ORDER BY id LIMIT $6 FOR UPDATE
"""
_DONE = "DELETE FROM sns_delivery_reports WHERE id = ANY($1)"
_MOST = 500
"""Lines that are written in one transaction."""
_SESSION = "sns-delivery-status"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be logged, into which group and with which roles: successes in so many of a hundred cases, failures or
    not."""

    group: str
    rate: int
    failures: bool
    success_role: str = ""
    failure_role: str = ""

    def wants(self, *, ok: bool) -> bool:
        return self.failures if not ok else random.randrange(100) < self.rate  # noqa: S311 (a sample, no secret)


@dataclass(frozen=True, slots=True)
class Result:
    """How a delivery ended."""

    destination: str
    ok: bool
    status: int
    answer: str
    attempts: int


def wanted(attributes: Mapping[str, str], prefix: str, group: str) -> Wanted | None:
    """What attributes such as `HTTPSuccessFeedbackRoleArn` ask for; None when they ask for nothing."""
    rate = attributes.get(f"{prefix}SuccessFeedbackSampleRate") or "0"
    role, failure_role = (attributes.get(f"{prefix}{kind}FeedbackRoleArn") or "" for kind in ("Success", "Failure"))
    successes = int(rate) if role else 0
    return Wanted(group, successes, bool(failure_role), role, failure_role) if successes or failure_role else None


def notification(id: str, text: str, at: str, topic_arn: str = "") -> dict[str, Any]:
    """What a report says of the message. `at` is its timestamp."""
    told = {"messageMD5Sum": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), "messageId": id}
    if topic_arn:
        told["topicArn"] = topic_arn
    return {**told, "timestamp": at.replace("T", " ").removesuffix("Z")}


async def note(ctx: Context, wanted: Wanted, results: Sequence[tuple[Mapping[str, Any], Result]]) -> None:
    """Note results of the context's account, each with what `notification` says of its message."""
    sealer: Sealer = ctx.engine("sealing")
    now = datetime.now(UTC).replace(tzinfo=None)
    groups, roles, contents = [], [], []
    for message, result in results:
        if not wanted.wants(ok=result.ok):
            continue
        since = datetime.fromisoformat(message["timestamp"]) if "timestamp" in message else now
        delivery: dict[str, Any] = {
            "deliveryId": str(uuid4()),
            "destination": result.destination,
            "providerResponse": result.answer,
            "dwellTimeMs": max(0, int((now - since).total_seconds() * 1000)),
            "attempts": result.attempts,
        }
        if result.status:
            delivery["statusCode"] = result.status
        line = {"notification": message, "delivery": delivery, "status": "SUCCESS" if result.ok else "FAILURE"}
        groups.append(wanted.group if result.ok else f"{wanted.group}/Failure")
        roles.append(wanted.success_role if result.ok else wanted.failure_role)
        contents.append(sealer.seal(PURPOSE, orjson.dumps(line), ctx.account_id))
    if groups:
        await ctx.db.execute(_INSERT, ctx.account_id, ctx.region, groups, roles, contents)


async def write_next(run: Run) -> bool:
    """Write the oldest lines that wait, of one group and role; False when none wait. What the role may not write is
    lost, as at AWS."""
    try:
        async with run.step() as db:
            first = await db.fetchrow(_NEXT)
            if first is None:
                return False
            alike = (first["account_id"], first["region"], first["log_group"], first["role_arn"], first["id"])
            rows = await db.fetch(_ALIKE, *alike, _MOST)
            await _write(run, db, first, _lines(run.engine("sealing"), rows))
            await db.execute(_DONE, [row["id"] for row in rows])
    except AwsError as error:
        if error.status >= 500:
            raise
        log.info("delivery reports for %s could not be written: %s", first["log_group"], error.code)
        async with run.step() as db:
            await db.execute(_DONE, [row["id"] for row in rows])
    return True


def _lines(sealer: Sealer, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """The events of rows."""
    return [
        {
            "timestamp": int(row["created_at"].timestamp() * 1000),
            "message": sealer.open(PURPOSE, row["content"], row["account_id"]).decode(),
        }
        for row in rows
    ]


async def _write(run: Run, db: Unit, row: Any, lines: Sequence[Mapping[str, Any]]) -> None:
    """Put lines into their group as a session of the role; group and stream are made where they are not there."""
    account, region, group = row["account_id"], row["region"], row["log_group"]
    if _account_of(row["role_arn"] or "") != account:
        raise AwsError("The role is not one of the account.", code="AccessDenied")
    source = group.removeprefix(f"sns/{region}/{account}/").removesuffix("/Failure")
    ctx = await assume(run.acting(db, SERVICE, arn("sns", region, account, source)), row["role_arn"], _SESSION)
    day = datetime.now(UTC).date()
    stream = {"logGroupName": group, "logStreamName": str(uuid5(NAMESPACE_URL, f"{account}/{group}/{day}"))}
    await ctx.ask("logs", "Write", {**stream, "logEvents": lines, "MakeGroup": True})


def _account_of(role_arn: str) -> str:
    try:
        return Arn.parse(role_arn).account
    except ValueError:
        return ""
