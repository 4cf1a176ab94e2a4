"""A queue's policy: checked when it is set, with users and roles kept by their ids."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.access import named_principals
from controlplane.access.policy.grammar import MalformedPolicy, validate_resource
from controlplane.core.context import Context
from controlplane.services.sqs.errors import InvalidAttributeValue


async def bound(ctx: Context, attributes: Mapping[str, str]) -> dict[str, str]:
    """Attributes as they are to be kept. Raises InvalidAttributeValue."""
    text = attributes.get("Policy")
    if not text:
        return dict(attributes)
    try:
        validate_resource(text)
        return {**attributes, "Policy": await named_principals.bind(ctx.db, text)}
    except (MalformedPolicy, named_principals.UnknownPrincipal) as error:
        raise InvalidAttributeValue("Invalid value for the parameter Policy.") from error


async def shown(ctx: Context, attributes: Mapping[str, str]) -> dict[str, str]:
    """Attributes as they are told."""
    text = attributes.get("Policy")
    if not text:
        return dict(attributes)
    return {**attributes, "Policy": (await named_principals.show(ctx.db, [text]))[0]}
