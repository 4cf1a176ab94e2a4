"""What users, groups and roles have in common: finding, deleting, tags and boundaries."""

from __future__ import annotations

from typing import Any

from controlplane.access.principals import announce
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.core.tags import MAX_TAGS, to_dict
from controlplane.services.iam.errors import (
    DeleteConflict,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
    UnmodifiableEntity,
    ValidationError,
)
from controlplane.services.iam.nouns import ROLE, Noun
from controlplane.services.iam.queries import identities, policies
from controlplane.services.iam.shapes import is_policy_arn

RESERVED = ("/aws-service-role/", "/aws-reserved/")
"""Paths of roles that belong to AWS; they are exempt from service control policies."""
_CONFLICTS = {
    "attached": "Cannot delete entity, must detach all policies first.",
    "inline": "Cannot delete entity, must delete policies first.",
    "keys": "Cannot delete entity, must delete access keys first.",
    "password": "Cannot delete entity, must delete login profile first.",
    "devices": "Cannot delete entity, must delete MFA device first.",
    "certificates": "Cannot delete entity, must delete signing certificates first.",
    "credentials": "Cannot delete entity, must remove referenced objects first.",
    "members": "Cannot delete entity, must remove users from group first.",
    "profiles": "Cannot delete entity, must remove roles from instance profile first.",
}


async def get(ctx: Context, noun: Noun, name: str) -> Any:
    """One by its name, for reading; the row that permission was asked with if it is that one. Raises NoSuchEntity."""
    for resource in ctx.resources:
        row = resource.row
        if row is not None and row.get("kind") == noun.kind and row["name"].lower() == name.lower():
            return row
    row = await identities.find(ctx, noun, name)
    if row is None:
        raise noun.missing(name)
    return row


async def lock(ctx: Context, noun: Noun, name: str) -> Any:
    """One that is about to be changed, held until the commit. Raises NoSuchEntity, UnmodifiableEntity for AWS's own."""
    row = await identities.lock(ctx, noun, name)
    if noun is ROLE and row["path"].startswith(RESERVED):
        raise UnmodifiableEntity(
            f"Cannot perform the operation on the protected role '{row['name']}' - this role is only modifiable by AWS"
        )
    return row


async def delete(ctx: Context, noun: Noun, name: str) -> None:
    """Delete one that nothing hangs on. Raises NoSuchEntity, DeleteConflict."""
    row = await lock(ctx, noun, name)
    uses = await identities.uses(ctx, row["id"])
    for use, message in _CONFLICTS.items():
        if uses[use]:
            raise DeleteConflict(message)
    await identities.delete(ctx, row["id"])
    await announce(ctx.db, ctx.account_id)


async def rename(ctx: Context, noun: Noun, name: str, new_name: str | None, new_path: str | None) -> None:
    """Give one another name or path; its id stays. Raises NoSuchEntity, EntityAlreadyExists."""
    row = await lock(ctx, noun, name)
    wanted, path = new_name or row["name"], new_path or row["path"]
    # Whoever may change one may not for that make it one of those that others alone may change.
    await ctx.authorize(f"iam:Update{noun.word}", Resource(noun.arn(ctx.account_id, path, wanted), row["tags"]))
    if not await identities.rename(ctx, row, noun, wanted, path):
        raise noun.taken(wanted)
    await announce(ctx.db, ctx.account_id)


def name_or_own(ctx: Context, name: str | None) -> str:
    """The user a request names, or else the one who calls. Raises ValidationError for other callers without a name."""
    if name:
        return name
    if ctx.principal.kind != "user":
        raise ValidationError("Must specify userName when calling with non-User credentials")
    return ctx.principal.name


def new_tags(given: Any, *, fold: bool = True) -> dict[str, str]:
    """The tags of a request, checked; with `fold` keys that differ only in case count as the same.

    Raises InvalidInput, LimitExceeded.
    """
    tags = to_dict(given)
    if fold and given and len({key.lower() for key in tags}) != len(given):
        raise InvalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if len(tags) > MAX_TAGS:
        raise LimitExceeded(f"The number of tags has reached the maximum limit. The limit is {MAX_TAGS}.")
    if any(key.lower().startswith("aws:") for key in tags):
        raise InvalidInput("Tag keys that start with 'aws:' are reserved for system use.")
    return tags


def merged(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Old tags with new ones over them; keys that differ only in case are the same. Raises LimitExceeded."""
    lowered = {key.lower() for key in new}
    result = {key: value for key, value in old.items() if key.lower() not in lowered} | new
    if len(result) > MAX_TAGS:
        raise LimitExceeded(f"The number of tags has reached the maximum limit. The limit is {MAX_TAGS}.")
    return result


def without(old: dict[str, str], keys: list[str]) -> dict[str, str]:
    """Tags less some keys."""
    lowered = {key.lower() for key in keys}
    return {key: value for key, value in old.items() if key.lower() not in lowered}


async def tag(ctx: Context, noun: Noun, name: str, tags: Any) -> None:
    """Add tags. Raises NoSuchEntity, InvalidInput, LimitExceeded."""
    row = await lock(ctx, noun, name)
    await identities.set_tags(ctx, row["id"], merged(dict(row["tags"]), new_tags(tags)))
    await announce(ctx.db, ctx.account_id)


async def untag(ctx: Context, noun: Noun, name: str, keys: list[str]) -> None:
    """Remove tags; missing keys are fine. Raises NoSuchEntity."""
    row = await lock(ctx, noun, name)
    await identities.set_tags(ctx, row["id"], without(dict(row["tags"]), keys))
    await announce(ctx.db, ctx.account_id)


async def check_boundary(ctx: Context, arn: str | None) -> str | None:
    """The ARN of a boundary that may be set. Raises NoSuchEntity, InvalidInput."""
    if arn is None:
        return None
    if not is_policy_arn(arn):
        raise InvalidInput(f"ARN {arn} is not valid.")
    if await policies.find(ctx, arn) is None:
        raise NoSuchEntity(f"Scope ARN: {arn} does not exist or is not attachable.")
    return arn


async def set_boundary(ctx: Context, noun: Noun, name: str, arn: str | None) -> None:
    """Set or remove a boundary. Raises NoSuchEntity."""
    row = await lock(ctx, noun, name)
    if arn is None and row["boundary_arn"] is None:
        raise NoSuchEntity(f"{noun.word} {name} does not have a permissions boundary")
    await identities.set_boundary(ctx, row["id"], await check_boundary(ctx, arn))
    await announce(ctx.db, ctx.account_id)
