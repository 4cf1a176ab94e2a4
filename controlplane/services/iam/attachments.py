"""Inline policies and attached managed policies, alike for users, groups and roles."""

from __future__ import annotations

from typing import Any

from controlplane.access.principals import announce
from controlplane.core.context import Context
from controlplane.services.iam import documents
from controlplane.services.iam.errors import LimitExceeded, NoSuchEntity, ValidationError
from controlplane.services.iam.identities import get, lock
from controlplane.services.iam.nouns import Noun
from controlplane.services.iam.queries import policies
from controlplane.services.iam.shapes import asked, by_name, encoded, is_policy_arn, page

MAX_ATTACHED = 10
_ALL = 1000


async def put_inline(ctx: Context, noun: Noun, request: Any) -> None:
    """Write a policy into an identity. Raises MalformedPolicyDocument, LimitExceeded, NoSuchEntity."""
    name, document = request["PolicyName"], request["PolicyDocument"]
    row = await lock(ctx, noun, request[noun.member])
    documents.check_identity(document)
    others = await policies.inlines(ctx, row["id"], None, _ALL)
    total = sum(documents.size(other["document"]) for other in others if other["name"] != name)
    if total + documents.size(document) > noun.inline_bytes:
        raise LimitExceeded(f"Maximum policy size of {noun.inline_bytes} bytes exceeded for {noun.kind} {row['name']}")
    await policies.put_inline(ctx, row["id"], name, document)
    await announce(ctx.db, ctx.account_id)


async def get_inline(ctx: Context, noun: Noun, request: Any) -> dict[str, Any]:
    """One inline policy. Raises NoSuchEntity."""
    row = await get(ctx, noun, request[noun.member])
    found = await policies.inline(ctx, row["id"], request["PolicyName"])
    if found is None:
        raise _no_inline(noun, request["PolicyName"])
    return {noun.member: row["name"], "PolicyName": found["name"], "PolicyDocument": encoded(found["document"])}


async def delete_inline(ctx: Context, noun: Noun, request: Any) -> None:
    """Delete an inline policy. Raises NoSuchEntity."""
    row = await lock(ctx, noun, request[noun.member])
    if not await policies.delete_inline(ctx, row["id"], request["PolicyName"]):
        raise _no_inline(noun, request["PolicyName"])
    await announce(ctx.db, ctx.account_id)


async def list_inline(ctx: Context, noun: Noun, request: Any) -> dict[str, Any]:
    """Names of inline policies. Raises NoSuchEntity."""
    row = await get(ctx, noun, request[noun.member])
    after, limit = asked(request)
    rows = await policies.inlines(ctx, row["id"], after, limit + 1)
    return page("PolicyNames", rows, limit, by_name, by_name)


def _no_inline(noun: Noun, name: str) -> NoSuchEntity:
    return NoSuchEntity(f"The {noun.kind} policy with name {name} cannot be found.")


async def attach(ctx: Context, noun: Noun, request: Any) -> None:
    """Attach a managed policy; once more changes nothing. Raises NoSuchEntity, LimitExceeded."""
    arn = request["PolicyArn"]
    row = await lock(ctx, noun, request[noun.member])
    if not is_policy_arn(arn):
        raise ValidationError("Invalid ARN:  Could not be parsed!")
    if await policies.find(ctx, arn) is None:
        raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")
    if await policies.attached_besides(ctx, row["id"], arn) >= MAX_ATTACHED:
        raise LimitExceeded(f"Cannot exceed quota for PoliciesPer{noun.word}: {MAX_ATTACHED}")
    await policies.attach(ctx, row["id"], arn)
    await announce(ctx.db, ctx.account_id)


async def detach(ctx: Context, noun: Noun, request: Any) -> None:
    """Detach a managed policy. Raises NoSuchEntity."""
    arn = request["PolicyArn"]
    row = await lock(ctx, noun, request[noun.member])
    if not await policies.detach(ctx, row["id"], arn):
        raise NoSuchEntity(f"Policy {arn} was not found.")
    await announce(ctx.db, ctx.account_id)


async def list_attached(ctx: Context, noun: Noun, request: Any) -> dict[str, Any]:
    """Managed policies attached to an identity. Raises NoSuchEntity."""
    row = await get(ctx, noun, request[noun.member])
    after, limit = asked(request)
    rows = await policies.attached(ctx, row["id"], request.get("PathPrefix") or "/", after, limit + 1)
    return page("AttachedPolicies", rows, limit, _attached, lambda item: str(item["arn"]))


def _attached(row: Any) -> dict[str, str]:
    return {"PolicyName": row["name"], "PolicyArn": row["arn"]}
