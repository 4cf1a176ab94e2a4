"""What OIDC and SAML providers have in common: finding, deleting, tags."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.iam import identities, shapes
from controlplane.services.iam.errors import NoSuchEntity
from controlplane.services.iam.queries import providers

MAX_PROVIDERS = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """`oidc` or `saml`: the request parameter that names one, its part of the ARN, and what a missing one is called."""

    name: str
    member: str
    part: str
    word: str

    def arn(self, ctx: Context, name: str) -> str:
        return f"arn:aws:iam::{ctx.account_id}:{self.part}/{name}"

    def missing(self, arn: str) -> NoSuchEntity:
        return NoSuchEntity(f"{self.word} not found for arn {arn}")


OIDC = Kind("oidc", "OpenIDConnectProviderArn", "oidc-provider", "OpenIDConnect Provider")
SAML = Kind("saml", "SAMLProviderArn", "saml-provider", "SAML Provider")


def named(kind: Kind) -> Callable[[Context, Any], Awaitable[list[Resource]]]:
    """The provider that a request names, for the policy engine."""

    async def resources(ctx: Context, request: Any) -> list[Resource]:
        arn = request.get(kind.member) or kind.arn(ctx, "")
        row = await providers.find(ctx, kind.name, arn)
        return [Resource(arn, dict(row["tags"]) if row else {}, row=row)]

    return resources


async def get(ctx: Context, kind: Kind, request: Any) -> Any:
    """The provider that a request names. Raises NoSuchEntity."""
    arn = request[kind.member]
    row = await providers.find(ctx, kind.name, arn)
    if row is None:
        raise kind.missing(arn)
    return row


async def lock(ctx: Context, kind: Kind, request: Any) -> Any:
    """The same, held until the commit. Raises NoSuchEntity."""
    row = await providers.lock(ctx, kind.name, request[kind.member])
    if row is None:
        raise kind.missing(request[kind.member])
    return row


async def delete(ctx: Context, kind: Kind, request: Any) -> None:
    row = await lock(ctx, kind, request)
    await providers.delete(ctx, row["arn"])


async def tag(ctx: Context, kind: Kind, request: Any) -> None:
    row = await lock(ctx, kind, request)
    tags = identities.merged(dict(row["tags"]), identities.new_tags(request["Tags"]))
    await providers.set_tags(ctx, row["arn"], tags)


async def untag(ctx: Context, kind: Kind, request: Any) -> None:
    row = await lock(ctx, kind, request)
    await providers.set_tags(ctx, row["arn"], identities.without(dict(row["tags"]), request["TagKeys"]))


async def list_tags(ctx: Context, kind: Kind, request: Any) -> dict[str, Any]:
    row = await get(ctx, kind, request)
    return shapes.tag_page(request, row["tags"])
