"""Log streams: made, listed, deleted."""

from __future__ import annotations

import re
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.logs import groups, positions
from controlplane.services.logs.errors import (
    InvalidParameterException,
    NoSuchGroup,
    NoSuchStream,
    ResourceAlreadyExistsException,
)

_PAGE = 50
_NAME = re.compile(r"[^:*\x00]{1,512}")
_INSERT = """
WITH there AS (SELECT id FROM logs_groups WHERE id = $1 FOR KEY SHARE), made AS (
  INSERT INTO logs_streams (group_id, name) SELECT id, $2 FROM there ON CONFLICT DO NOTHING RETURNING id)
SELECT (SELECT count(*) FROM there) AS groups, (SELECT count(*) FROM made) AS streams
"""
_DELETE = "DELETE FROM logs_streams WHERE group_id = $1 AND name = $2 RETURNING id"
_BY_NAME = """
SELECT * FROM logs_streams WHERE group_id = $1 AND ($2::text IS NULL OR starts_with(name, $2))
AND ($3::text IS NULL OR name {0} $3) ORDER BY name {1} LIMIT $4
"""
_BY_TIME = """
SELECT * FROM logs_streams WHERE group_id = $1 AND ($2::bigint IS NULL OR (coalesce(last_at, 0), name) {0} ($2, $3))
ORDER BY coalesce(last_at, 0) {1}, name {1} LIMIT $4
"""
_WAYS = {False: (">", "ASC"), True: ("<", "DESC")}


@operation("CreateLogStream", on=groups.on_stream)
async def create_log_stream(ctx: Context, request: Any) -> None:
    """Make a stream. Raises ResourceNotFoundException, ResourceAlreadyExistsException."""
    name = request["logStreamName"]
    if not _NAME.fullmatch(name):
        raise InvalidParameterException("The name of a log stream must not hold NUL.")
    [made] = await ctx.db.alone(_INSERT, groups.the_group(ctx)["id"], name)
    if not made["groups"]:
        raise NoSuchGroup
    if not made["streams"]:
        raise ResourceAlreadyExistsException("The specified log stream already exists")


@operation("DeleteLogStream", on=groups.on_stream)
async def delete_log_stream(ctx: Context, request: Any) -> None:
    """Delete a stream with its events. Raises ResourceNotFoundException."""
    group, name = groups.the_group(ctx), request["logStreamName"]
    id = None if "\x00" in name else await ctx.db.fetchval(_DELETE, group["id"], name)
    if id is None:
        raise NoSuchStream
    await ctx.wake("logs.remains", f"stream/{id}")


@operation("DescribeLogStreams", on=groups.on_group())
async def describe_log_streams(ctx: Context, request: Any) -> dict[str, Any]:
    """Streams of a group by name, or by the time of their last event. Raises ResourceNotFoundException,
    InvalidParameterException, ValidationException."""
    groups.check_named(request)
    group, prefix = groups.the_group(ctx), request.get("logStreamNamePrefix")
    size, descending = request.get("limit") or _PAGE, bool(request.get("descending"))
    by_time = request.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
    if prefix is not None and "\x00" in prefix:
        return {"logStreams": []}
    last_at, name = _after(request, by_time=by_time)
    if by_time:
        rows = await ctx.db.fetch(_BY_TIME.format(*_WAYS[descending]), group["id"], last_at, name, size + 1)
    else:
        rows = await ctx.db.fetch(_BY_NAME.format(*_WAYS[descending]), group["id"], prefix, name, size + 1)
    shown = [_shown(ctx, group, row) for row in rows[:size]]
    if len(rows) <= size:
        return {"logStreams": shown}
    last = rows[size - 1]
    return {"logStreams": shown, "nextToken": encode_token([last["last_at"] or 0, last["name"]])}


def _after(request: Any, *, by_time: bool) -> tuple[int | None, str | None]:
    token = request.get("nextToken")
    if not token:
        return None, None
    try:
        last_at, name = decode_token(token)
    except (ValueError, TypeError):
        last_at = name = None
    if not isinstance(last_at, int) or not isinstance(name, str) or "\x00" in name or abs(last_at) > positions.LATEST:
        raise InvalidParameterException("The specified nextToken is invalid.")
    return (last_at if by_time else None), name


def _shown(ctx: Context, group: Any, row: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "logStreamName": row["name"],
        "creationTime": int(row["created_at"].timestamp() * 1000),
        "arn": f"{groups.arn_of(ctx, group['name'])}:log-stream:{row['name']}",
        "storedBytes": 0,  # so at AWS for every stream, since 2019
    }
    if row["last_at"] is not None:
        shown |= {
            "firstEventTimestamp": row["first_at"],
            "lastEventTimestamp": row["last_at"],
            "lastIngestionTime": row["ingested_at"],
            "uploadSequenceToken": positions.number((row["ingested_at"], row["id"], 0)),
        }
    return shown
