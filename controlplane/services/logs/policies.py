"""The account's resource policies: checked when they are put, with users and roles kept by their ids."""

from __future__ import annotations

from controlplane.access import named_principals
from controlplane.access.policy.grammar import MalformedPolicy, validate_resource
from controlplane.core.context import Context
from controlplane.services.logs.errors import InvalidParameterException


async def bound(ctx: Context, document: str) -> str:
    """A document as it is to be kept. Raises InvalidParameterException."""
    try:
        validate_resource(document)
        return await named_principals.bind(ctx.db, document)
    except (MalformedPolicy, named_principals.UnknownPrincipal) as error:
        raise InvalidParameterException(f"The policy document is not valid: {error}") from error
