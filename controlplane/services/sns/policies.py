"""A topic's policy: checked when it is set, with users and roles kept by their ids."""

from __future__ import annotations

from controlplane.access import named_principals
from controlplane.access.policy.grammar import MalformedPolicy, validate_resource
from controlplane.core.context import Context
from controlplane.services.sns.errors import InvalidParameter


async def bound(ctx: Context, text: str) -> str:
    """A policy as it is to be kept. Raises InvalidParameter."""
    try:
        validate_resource(text)
        return await named_principals.bind(ctx.db, text)
    except MalformedPolicy as error:
        raise InvalidParameter(f"Policy Error: {error}") from error
    except named_principals.UnknownPrincipal as error:
        raise InvalidParameter("Policy Error: PrincipalNotFound") from error


async def shown(ctx: Context, text: str) -> str:
    """A policy as it is told."""
    return (await named_principals.show(ctx.db, [text]))[0]
