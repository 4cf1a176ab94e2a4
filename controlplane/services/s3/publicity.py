"""Whether a bucket's policy lets in anybody at all, as AWS defines "public"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

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
_EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})


def is_public(policy: Mapping[str, Any] | None) -> bool:
    """Whether any Allow statement is for everybody without a condition that fixes who it is."""
    return any(_is_public(statement) for statement in _list((policy or {}).get("Statement", [])))


def _is_public(statement: Mapping[str, Any]) -> bool:
    if statement.get("Effect") != "Allow" or not _names_everybody(statement):
        return False
    for operator, keys in statement.get("Condition", {}).items():
        if operator.lower().startswith(("stringequals", "stringlike", "arn", "ipaddress")):
            for key, values in keys.items():
                if key.lower() in _FIXING and _are_fixed(_list(values)):
                    return False
    return True


def _names_everybody(statement: Mapping[str, Any]) -> bool:
    if "NotPrincipal" in statement:
        return True
    principal = statement.get("Principal")
    if isinstance(principal, Mapping):
        return any("*" in _list(names) for names in principal.values())
    return principal == "*"


def _are_fixed(values: Iterable[Any]) -> bool:
    return not any(str(value) in _EVERYWHERE or "*" in str(value).split(":")[-1] for value in values)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
