"""Finding the group that a request names, and what the policy engine is asked about.

At AWS the resource of an operation on a group is `…:log-group:NAME:log-stream:` and of one on a stream
`…:log-group:NAME:log-stream:STREAM`, so that policies name groups with `:*` behind. Only tags go by the bare ARN.
Source: "Using identity-based policies for CloudWatch Logs", and the ARNs in AWS's refusals.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import orjson

from controlplane.core.arn import Arn, arn
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.logs.errors import InvalidParameterException, NoSuchGroup, ValidationException

Answer = Callable[[Context, Any], Awaitable[list[Resource]]]
_FIND = "SELECT * FROM logs_groups WHERE account_id = $1 AND region = $2 AND name = $3"
_LOCKED = f"{_FIND} FOR UPDATE"
_POLICIES = "SELECT document FROM logs_resource_policies WHERE account_id = $1 AND region = $2 ORDER BY name"
_PREFIX = "log-group:"


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def arn_of(ctx: Context, name: str) -> str:
    """A group's ARN, without what policies have behind it."""
    return arn("logs", ctx.region, ctx.account_id, f"{_PREFIX}{name}")


async def find(ctx: Context, name: str) -> Any:
    """The row of a group of the caller's, or None."""
    if "\x00" in name:
        return None  # a name that no group can have, and that Postgres refuses
    return await ctx.db.cached_row(_FIND, ctx.account_id, ctx.region, name)


async def locked(ctx: Context, name: str) -> Any:
    """The row of a group that is to be changed. Raises NoSuchGroup."""
    row = None if "\x00" in name else await ctx.db.fetchrow(_LOCKED, ctx.account_id, ctx.region, name)
    if row is None:
        raise NoSuchGroup
    return row


def kept_since(ctx: Context, row: Any) -> int:
    """The time from which a group's events are kept, in milliseconds."""
    return 0 if row["retention"] is None else now() - int(row["retention"] * ctx.cloud.storage_day * 1000)


async def policy(ctx: Context) -> dict[str, Any] | None:
    """What the account's resource policies say together."""
    rows = await ctx.db.cached(_POLICIES, ctx.account_id, ctx.region)
    return _joined(tuple(row["document"] for row in rows)) if rows else None


@lru_cache(maxsize=1024)
def _joined(documents: tuple[str, ...]) -> dict[str, Any]:
    statements: list[Any] = []
    for document in documents:
        found = orjson.loads(document)["Statement"]
        statements += found if isinstance(found, list) else [found]
    return {"Version": "2012-10-17", "Statement": statements}


def own_name(ctx: Context, text: str) -> str | None:
    """The name of a group of the caller's, in this region, that a name or an ARN means; None for an ARN of others."""
    if not text.startswith("arn:"):
        return text
    own = arn_of(ctx, "")
    return text.removeprefix(own).removesuffix(":*") if text.startswith(own) else None


def check_named(request: Any) -> None:
    """A request names its group by name or by identifier. Raises InvalidParameterException, ValidationException."""
    name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
    if name and identifier:
        raise ValidationException("LogGroup name and LogGroup ARN are mutually exclusive parameters.")
    if not name and not identifier:
        raise InvalidParameterException("A logGroupName or logGroupIdentifier must be given.")


def _place(ctx: Context, text: str, rest: str) -> tuple[str, str | None]:
    """The ARN that permission is asked for, and the name of a group where it is one of the caller's.

    A group has one ARN: what is spelt otherwise in any part (the partition too) is not found, since policies are
    asked about the ARN.
    """
    name = own_name(ctx, text)
    if name is not None:
        return f"{arn_of(ctx, name)}{rest}", name
    try:
        Arn.parse(text)
    except ValueError:
        return f"{arn_of(ctx, '')}{rest}", None
    return f"{text.removesuffix(':*')}{rest}", None


def on_group(member: str = "logGroupName", *, bare: bool = False) -> Answer:
    """The group that a member of the request names, by name or ARN; `bare` asks about its ARN alone."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        text = request.get(member) or request.get("logGroupIdentifier") or request.get("logGroupName") or ""
        where, name = _place(ctx, text, "" if bare else ":log-stream:")
        row = await find(ctx, name) if name else None
        return [Resource(where, row["tags"] if row else {}, await policy(ctx) if name else None, row=row)]

    return resources


async def on_stream(ctx: Context, request: Any) -> list[Resource]:
    """The stream that a request names."""
    text = request.get("logGroupName") or request.get("logGroupIdentifier") or ""
    where, name = _place(ctx, text, f":log-stream:{request['logStreamName']}")
    row = await find(ctx, name) if name else None
    return [Resource(where, row["tags"] if row else {}, await policy(ctx) if name else None, row=row)]


async def on_groups(ctx: Context, request: Any) -> list[Resource]:
    """All of the account's groups, for what lists them."""
    return [Resource(f"{arn_of(ctx, '')}:log-stream:", policy=await policy(ctx))]


def the_group(ctx: Context) -> Any:
    """The row of the group that permission was asked for. Raises NoSuchGroup."""
    row = ctx.resources[0].row
    if row is None:
        raise NoSuchGroup
    return row
