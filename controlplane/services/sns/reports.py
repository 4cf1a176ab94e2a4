"""The log of deliveries: what became of messages, for topics, applications and accounts that ask for it.

AWS writes these lines to CloudWatch Logs. Here they lie in a log of the account's that `/_celaje/sns/deliveries` shows,
under the names that their groups have there.
Source: "Amazon SNS message delivery status" in the SNS developer guide.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson

from controlplane.core.context import Context
from controlplane.state.sealing import Sealer

PURPOSE = "sns-report"
_INSERT = """
INSERT INTO sns_delivery_reports (account_id, region, log_group, content)
SELECT $1, $2, * FROM unnest($3::text[], $4::bytea[])
"""
_LIST = """
SELECT id, log_group, content, created_at FROM sns_delivery_reports WHERE account_id = $1 AND region = $2
AND ($3::text IS NULL OR log_group = $3) ORDER BY id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be logged, and under which name: successes in so many of a hundred cases, failures or not."""

    group: str
    rate: int
    failures: bool

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
    successes = int(rate) if attributes.get(f"{prefix}SuccessFeedbackRoleArn") else 0
    failures = bool(attributes.get(f"{prefix}FailureFeedbackRoleArn"))
    return Wanted(group, successes, failures) if successes or failures else None


def notification(id: str, text: str, at: str, topic_arn: str = "") -> dict[str, Any]:
    """What a report says of the message. `at` is its timestamp."""
    told = {"messageMD5Sum": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), "messageId": id}
    if topic_arn:
        told["topicArn"] = topic_arn
    return {**told, "timestamp": at.replace("T", " ").removesuffix("Z")}


async def note(ctx: Context, wanted: Wanted, results: Sequence[tuple[Mapping[str, Any], Result]]) -> None:
    """Log results of the context's account, each with what `notification` says of its message."""
    sealer: Sealer = ctx.engine("sealing")
    now = datetime.now(UTC).replace(tzinfo=None)
    groups, contents = [], []
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
        contents.append(sealer.seal(PURPOSE, orjson.dumps(line), ctx.account_id))
    if groups:
        await ctx.db.execute(_INSERT, ctx.account_id, ctx.region, groups, contents)


async def listed(ctx: Context, group: str | None, most: int) -> list[dict[str, Any]]:
    """The caller's latest reports, newest first."""
    sealer: Sealer = ctx.engine("sealing")
    return [
        {
            "LogGroup": row["log_group"],
            "CreatedAt": row["created_at"].isoformat(),
            **orjson.loads(sealer.open(PURPOSE, row["content"], ctx.account_id)),
        }
        for row in await ctx.db.fetch(_LIST, ctx.account_id, ctx.region, group, most)
    ]
