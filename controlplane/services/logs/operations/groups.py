"""Log groups: made, listed, kept for a time, deleted."""

from __future__ import annotations

import re
from typing import Any

from controlplane.core import tags as core_tags
from controlplane.core.context import Context
from controlplane.core.errors import AwsError, NotImplementedByCelaje
from controlplane.core.operation import operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.logs import groups, keys
from controlplane.services.logs.errors import (
    AccessDeniedException,
    InvalidParameterException,
    LimitExceededException,
    ResourceAlreadyExistsException,
    ValidationException,
)

_QUOTA = "logs/L-D2832119"
_CLASSES = ("STANDARD", "INFREQUENT_ACCESS")
_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
_PAGE = 50
_NOT_INDEXED = ("storedBytes", "deletionProtectionEnabled")
_INSERT = """
INSERT INTO logs_groups (account_id, region, name, class, protected, key_arn, tags) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING RETURNING id
"""
_COUNT = "SELECT count(*) FROM logs_groups WHERE account_id = $1 AND region = $2"
_DELETE = "DELETE FROM logs_groups WHERE id = $1"
_RETENTION = "UPDATE logs_groups SET retention = $2 WHERE id = $1"
_PROTECTION = "UPDATE logs_groups SET protected = $2 WHERE id = $1"
_LIST = """
SELECT *, (SELECT coalesce(sum(size), 0)::bigint FROM logs_streams WHERE group_id = g.id) AS size
FROM logs_groups g WHERE account_id = $1 AND region = $2 AND name > $3
AND ($4::text IS NULL OR starts_with(name, $4)) AND ($5::text IS NULL OR strpos(name, $5) > 0)
AND ($6::text IS NULL OR class = $6) AND ($7::text[] IS NULL OR name = ANY($7)) AND ($8::text IS NULL OR name ~ $8)
ORDER BY name LIMIT $9
"""


@operation("CreateLogGroup", on=groups.on_group())
async def create_log_group(ctx: Context, request: Any) -> None:
    """Make a group. Raises ResourceAlreadyExistsException, InvalidParameterException, LimitExceededException."""
    name, tags = request["logGroupName"], dict(request.get("tags") or {})
    core_tags.check(tags, code=InvalidParameterException.code)
    if tags:
        await _check_may_tag(ctx)
    if name.startswith("aws/"):
        raise InvalidParameterException("Log groups starting with AWS/ are reserved for AWS.")
    kind = request.get("logGroupClass") or "STANDARD"
    if kind not in _CLASSES:
        raise NotImplementedByCelaje(f"Log groups of class {kind} are not built.")
    await ctx.within_quota(_QUOTA, lambda: _count(ctx), lambda _: LimitExceededException("Resource limit exceeded."))
    protected = bool(request.get("deletionProtectionEnabled"))
    given = request.get("kmsKeyId")
    key_arn = await keys.checked(ctx, name, given) if given else None
    if await ctx.db.fetchval(_INSERT, ctx.account_id, ctx.region, name, kind, protected, key_arn, tags) is None:
        raise ResourceAlreadyExistsException("The specified log group already exists")


async def _check_may_tag(ctx: Context) -> None:
    """One of two permissions will do, as at AWS. Raises AccessDeniedException."""
    for action in ("logs:TagResource", "logs:TagLogGroup"):
        try:
            return await ctx.authorize(action, *ctx.resources)
        except AwsError as error:
            if error.code != AccessDeniedException.code:
                raise
    raise AccessDeniedException(
        f"User with accountId: {ctx.principal.account_id} is not authorized to perform CreateLogGroup with Tags. "
        'An additional permission "logs:TagResource" is required.'
    )


async def _count(ctx: Context) -> float:
    return float(await ctx.db.fetchval(_COUNT, ctx.account_id, ctx.region))


@operation("DeleteLogGroup", on=groups.on_group())
async def delete_log_group(ctx: Context, request: Any) -> None:
    """Delete a group with its streams and events. Raises ResourceNotFoundException, ValidationException."""
    row = await groups.locked(ctx, request["logGroupName"])
    if row["protected"]:
        raise ValidationException("The log group has deletion protection enabled, and cannot be deleted.")
    await ctx.db.execute(_DELETE, row["id"])
    await ctx.wake("logs.remains", f"group/{row['id']}")


@operation("DescribeLogGroups", on=groups.on_groups)
async def describe_log_groups(ctx: Context, request: Any) -> dict[str, Any]:
    """Groups by name. Raises InvalidParameterException."""
    prefix, pattern = request.get("logGroupNamePrefix"), request.get("logGroupNamePattern")
    if prefix and pattern:
        raise InvalidParameterException(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    identifiers = request.get("logGroupIdentifiers")
    names = [groups.own_name(ctx, text) for text in identifiers] if identifiers else None
    size, kind = request.get("limit") or _PAGE, request.get("logGroupClass")
    rows = await _listed(ctx, request, prefix or None, pattern or None, kind, names, None, size)
    shown = [_shown(ctx, row) for row in rows]
    if pattern:  # AWS searches by patterns in an index that knows less of a group
        shown = [{name: value for name, value in group.items() if name not in _NOT_INDEXED} for group in shown]
    return _page("logGroups", shown, size)


@operation("ListLogGroups", on=groups.on_groups)
async def list_log_groups(ctx: Context, request: Any) -> dict[str, Any]:
    """Groups by name, with little about each. Raises InvalidParameterException."""
    if any(request.get(name) for name in ("dataSources", "fieldIndexNames", "logGroupTags")):
        raise NotImplementedByCelaje("Groups are listed by name and class only.")
    size, kind = request.get("limit") or _PAGE, request.get("logGroupClass")
    rows = await _listed(ctx, request, None, None, kind, None, _pattern(request), size)
    told = ("logGroupName", "logGroupArn", "logGroupClass")
    return _page("logGroups", [{name: _shown(ctx, row)[name] for name in told} for row in rows], size)


def _pattern(request: Any) -> str | None:
    """The regular expression of what ListLogGroups is given: parts of names, or with `^` their beginnings."""
    text = request.get("logGroupNamePattern")
    if not text:
        return None
    return "|".join(("^" if part.startswith("^") else "") + re.escape(part.lstrip("^")) for part in text.split("|"))


async def _listed(ctx: Context, request: Any, *wanted: Any) -> list[Any]:
    """Rows after the request's token, one more than the page (the last argument) has."""
    *conditions, size = wanted
    if (request.get("accountIdentifiers") or [ctx.account_id]) != [ctx.account_id]:
        return []  # no account is linked to this one
    return await ctx.db.fetch(_LIST, ctx.account_id, ctx.region, after(request), *conditions, size + 1)


def after(request: Any) -> str:
    """The name after which a page begins. Raises InvalidParameterException."""
    token = request.get("nextToken")
    if not token:
        return ""
    try:
        found = decode_token(token)
    except ValueError:
        found = None
    if not isinstance(found, str) or "\x00" in found:
        raise InvalidParameterException("The specified nextToken is invalid.")
    return found


def _page(member: str, shown: list[dict[str, Any]], size: int) -> dict[str, Any]:
    more = {"nextToken": encode_token(shown[size - 1]["logGroupName"])} if len(shown) > size else {}
    return {member: shown[:size], **more}


def _shown(ctx: Context, row: Any) -> dict[str, Any]:
    where = groups.arn_of(ctx, row["name"])
    shown = {
        "logGroupName": row["name"],
        "creationTime": int(row["created_at"].timestamp() * 1000),
        "metricFilterCount": 0,
        "arn": f"{where}:*",
        "storedBytes": row["size"],
        "logGroupClass": row["class"],
        "logGroupArn": where,
        "deletionProtectionEnabled": row["protected"],
    }
    for member, column in (("retentionInDays", "retention"), ("kmsKeyId", "key_arn")):
        if row[column] is not None:
            shown[member] = row[column]
    return shown


@operation("PutRetentionPolicy", on=groups.on_group())
async def put_retention_policy(ctx: Context, request: Any) -> None:
    """Keep a group's events for so many days. Raises ResourceNotFoundException, InvalidParameterException."""
    days = request["retentionInDays"]
    if days not in _DAYS:
        told = ", ".join(str(number) for number in _DAYS)
        raise InvalidParameterException(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member "
            f"must satisfy enum value set: [{told}]"
        )
    await ctx.db.execute(_RETENTION, (await groups.locked(ctx, request["logGroupName"]))["id"], days)


@operation("DeleteRetentionPolicy", on=groups.on_group())
async def delete_retention_policy(ctx: Context, request: Any) -> None:
    """Keep a group's events for ever. Raises ResourceNotFoundException."""
    await ctx.db.execute(_RETENTION, (await groups.locked(ctx, request["logGroupName"]))["id"], None)


@operation("PutLogGroupDeletionProtection", on=groups.on_group("logGroupIdentifier"))
async def put_log_group_deletion_protection(ctx: Context, request: Any) -> None:
    """Let nobody delete a group, or again everybody who may. Raises ResourceNotFoundException."""
    row = await groups.locked(ctx, groups.the_group(ctx)["name"])
    await ctx.db.execute(_PROTECTION, row["id"], request["deletionProtectionEnabled"])
