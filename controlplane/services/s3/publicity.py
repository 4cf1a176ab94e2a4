"""Whether a bucket's policy lets in anybody at all, as AWS defines "public"."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.services.s3.errors import AccessDenied

# A statement for everybody is not public when one of these is held to a fixed value.
_FIXING = frozenset(
    {
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:userid",
        "aws:sourcearn",
        "aws:sourceaccount",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:sourceip",
        "aws:vpcsourceip",
        "aws:sourceorgid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)
# Only these fail where the request lacks the key: neither their negations, nor `…IfExists`, nor `ForAllValues:…`.
_HOLDING = re.compile(r"(foranyvalue:)?(stringequals(ignorecase)?|stringlike|arnequals|arnlike|ipaddress)")
_ADDRESSES = frozenset({"aws:sourceip", "aws:vpcsourceip"})
_WIDEST = {4: 8, 6: 32}
"""Ranges of addresses with shorter prefixes are as good as everybody."""
_OPEN = re.compile(r"[*?]|\$\{")
_OF_AN_ACCOUNT = re.compile(r"arn:aws:s3:[^:]*:[0-9]{12}:accesspoint/.*", re.DOTALL)
_OF_AN_ORGANIZATION = re.compile(r"o-[a-z0-9]+/.*", re.DOTALL)


def is_public(policy: Mapping[str, Any] | None) -> bool:
    """Whether any Allow statement is for everybody without a condition that fixes who it is."""
    return any(_is_public(statement) for statement in _list((policy or {}).get("Statement", [])))


def refused(ctx: Context, what: str, setting: str) -> AccessDenied:
    """The refusal of `policies` or `ACLs` that a block does not let be public."""
    resource = ctx.resources[0]
    action = resource.action or f"s3:{ctx.operation}"
    return AccessDenied(
        f'User: {ctx.principal.arn} is not authorized to perform: {action} on resource: "{resource.arn}" '
        f"because public {what} are prevented by the {setting} setting in S3 Block Public Access."
    )


def _is_public(statement: Mapping[str, Any]) -> bool:
    if statement.get("Effect") != "Allow" or not _names_everybody(statement):
        return False
    for operator, keys in statement.get("Condition", {}).items():
        if _HOLDING.fullmatch(operator.lower()):
            for key, values in keys.items():
                if key.lower() in _FIXING and all(_is_fixed(key.lower(), str(value)) for value in _list(values)):
                    return False
    return True


def _names_everybody(statement: Mapping[str, Any]) -> bool:
    if "NotPrincipal" in statement:
        return True
    principal = statement.get("Principal")
    if isinstance(principal, Mapping):
        return any("*" in _list(names) for names in principal.values())
    return principal == "*"


def _is_fixed(key: str, value: str) -> bool:
    """Whether a value says who it is: without wildcards and variables, and no wide range of addresses."""
    if key in _ADDRESSES:
        return _is_narrow(value)
    if key == "s3:dataaccesspointarn":  # any of an account's
        return _OF_AN_ACCOUNT.fullmatch(value) is not None
    if key == "aws:principalorgpaths":
        return _OF_AN_ORGANIZATION.fullmatch(value) is not None
    return _OPEN.search(value) is None


def _is_narrow(value: str) -> bool:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return network.prefixlen >= _WIDEST[network.version]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
