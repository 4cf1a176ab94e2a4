"""What trust anchors, profiles and revocation lists have in common."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.core.paging import decode_token, encode_token
from controlplane.core.tags import MAX_TAGS
from controlplane.services.rolesanywhere import queries
from controlplane.services.rolesanywhere.errors import ResourceNotFound, TooManyTags, ValidationException

_PAGE = 50
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource: its part of the ARN, the prefix of its members (`trustAnchorId`), and that of its lists."""

    name: str
    prefix: str
    plural: str

    @property
    def member(self) -> str:
        return f"{self.prefix}Id"

    def arn(self, account_id: str, region: str, id: str) -> str:
        return f"arn:aws:rolesanywhere:{region}:{account_id}:{self.name}/{id}"

    def id_of(self, given: str) -> str:
        """The id in what names one: an id, or an ARN."""
        return given.rpartition("/")[2]


TRUST_ANCHOR = Kind("trust-anchor", "trustAnchor", "trustAnchors")
PROFILE = Kind("profile", "profile", "profiles")
CRL = Kind("crl", "crl", "crls")
SUBJECT = Kind("subject", "subject", "subjects")
TAGGABLE = (TRUST_ANCHOR, PROFILE, CRL, SUBJECT)

On = Callable[[Context, Any], Awaitable[list[Resource]]]


def named(kind: Kind) -> On:
    """The resource that a request names, for the policy engine."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        id = kind.id_of(request.get(kind.member) or "")
        row = await queries.find(ctx, kind.name, id)
        return [Resource(kind.arn(ctx.account_id, ctx.region, id), dict(row["tags"]) if row else {})]

    return resources


async def tagged(ctx: Context, request: Any) -> list[Resource]:
    """The resource whose tags are meant."""
    arn = request.get("resourceArn") or ""
    found = await _by_arn(ctx, arn)
    return [Resource(arn, dict(found["tags"]) if found else {})]


async def _by_arn(ctx: Context, arn: str) -> Any:
    for kind in TAGGABLE:
        id = kind.id_of(arn)
        if _ID.fullmatch(id) and arn == kind.arn(ctx.account_id, ctx.region, id):
            return await queries.lock(ctx, kind.name, id)
    return None


def shown(kind: Kind, row: Any) -> dict[str, Any]:
    """A row in the API's shape."""
    times = {"createdAt": row["created_at"], "updatedAt": row["updated_at"]}
    arn = kind.arn(row["account_id"], row["region"], row["id"])
    own = {kind.member: row["id"], f"{kind.prefix}Arn": arn, "enabled": row["enabled"]}
    named = {} if kind is SUBJECT else {"name": row["name"]}
    return {**row["content"], **own, **named, **times}


def missing(kind: Kind) -> ResourceNotFound:
    return ResourceNotFound(f"{kind.prefix[0].upper()}{kind.prefix[1:]} not found.")


async def get(ctx: Context, kind: Kind, request: Any) -> Any:
    """Raises ResourceNotFoundException."""
    row = await queries.find(ctx, kind.name, kind.id_of(request[kind.member]))
    if row is None:
        raise missing(kind)
    return row


async def lock(ctx: Context, kind: Kind, request: Any) -> Any:
    """The same, held until the commit. Raises ResourceNotFoundException."""
    row = await queries.lock(ctx, kind.name, kind.id_of(request[kind.member]))
    if row is None:
        raise missing(kind)
    return row


async def make(ctx: Context, kind: Kind, request: Any, content: dict[str, Any], *, enabled: bool) -> dict[str, Any]:
    """A new resource. Raises ValidationException, TooManyTagsException."""
    if request.get("aliasName"):
        raise ValidationException("Aliases are not supported by this cloud.")
    tags = check_tags({tag["key"]: tag["value"] for tag in request.get("tags") or ()})
    row = await queries.insert(ctx, str(uuid.uuid4()), kind.name, request["name"], enabled, content, tags)
    return {kind.prefix: shown(kind, row)}


async def change(ctx: Context, kind: Kind, row: Any, **changes: Any) -> dict[str, Any]:
    """Another name, state or content."""
    values = {"name": row["name"], "enabled": row["enabled"], "content": row["content"], **changes}
    changed = await queries.update(ctx, row["id"], values["name"], values["enabled"], values["content"])
    return {kind.prefix: shown(kind, changed)}


async def switch(ctx: Context, kind: Kind, request: Any, *, enabled: bool) -> dict[str, Any]:
    """Enable or disable. Raises ResourceNotFoundException."""
    return await change(ctx, kind, await lock(ctx, kind, request), enabled=enabled)


async def delete(ctx: Context, kind: Kind, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    row = await lock(ctx, kind, request)
    await queries.delete(ctx, row["id"])
    return {kind.prefix: shown(kind, row)}


async def listed(
    ctx: Context, kind: Kind, request: Any, show: Callable[[Any], dict[str, Any]] | None = None
) -> dict[str, Any]:
    """A page, each row as `show` says. Raises ValidationException for a foreign token."""
    token = request.get("nextToken")
    try:
        after = decode_token(token) if token else None
    except ValueError as error:
        raise ValidationException("Invalid nextToken.") from error
    if after is not None and not isinstance(after, str):
        raise ValidationException("Invalid nextToken.")
    limit = max(1, min(int(request.get("pageSize") or _PAGE), 1000))
    rows = await queries.page(ctx, kind.name, after, limit + 1)
    found: dict[str, Any] = {kind.plural: [show(row) if show else shown(kind, row) for row in rows[:limit]]}
    if len(rows) > limit:
        found["nextToken"] = encode_token(rows[limit - 1]["id"])
    return found


def check_tags(tags: dict[str, str]) -> dict[str, str]:
    """Raises TooManyTagsException, ValidationException."""
    if len(tags) > MAX_TAGS:
        raise TooManyTags(f"A resource has at most {MAX_TAGS} tags.")
    if any(key.lower().startswith("aws:") for key in tags):
        raise ValidationException("Tag keys that start with 'aws:' are reserved.")
    return tags


async def of_arn(ctx: Context, arn: str) -> Any:
    """A resource by its ARN, held until the commit. Raises ResourceNotFoundException."""
    row = await _by_arn(ctx, arn)
    if row is None:
        raise ResourceNotFound("Resource not found.")
    return row
