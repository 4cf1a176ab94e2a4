"""Checks of policy documents when they are stored: the grammar, sizes, and the principals of trust policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controlplane.access import named_principals
from controlplane.access.policy.grammar import MalformedPolicy, validate_identity, validate_trust
from controlplane.core.context import Context
from controlplane.services.iam.errors import LimitExceeded, MalformedPolicyDocument

MANAGED_SIZE = 6144
TRUST_SIZE = 2048


def size(document: str) -> int:
    """The size that quotas speak of: characters that are no white space."""
    return len("".join(document.split()))


def check_identity(document: str) -> None:
    """Refuse what is no policy of an identity. Raises MalformedPolicyDocument."""
    try:
        validate_identity(document)
    except MalformedPolicy as error:
        raise MalformedPolicyDocument(str(error)) from error


def check_managed(document: str) -> None:
    """The same, and the size of managed policies. Raises LimitExceeded."""
    if size(document) > MANAGED_SIZE:
        raise LimitExceeded(f"Cannot exceed quota for PolicySize: {MANAGED_SIZE}")
    check_identity(document)


async def check_trust(ctx: Context, document: str) -> str:
    """A trust policy as it is to be kept, its principals by their ids.

    Refuses what is none, or names principals that do not exist. Raises MalformedPolicyDocument, LimitExceeded.
    """
    if size(document) > TRUST_SIZE:
        raise LimitExceeded(f"Cannot exceed quota for ACLSizePerRole: {TRUST_SIZE}")
    try:
        validate_trust(document)
        return await named_principals.bind(ctx.db, document)
    except (MalformedPolicy, named_principals.UnknownPrincipal) as error:
        raise MalformedPolicyDocument(str(error)) from error


async def with_names(ctx: Context, rows: Sequence[Any], column: str = "trust_policy") -> list[Any]:
    """Rows with their trust policies as they are shown, principals by their ARNs. Asks nothing where none is named."""
    kept = [row[column] for row in rows if row[column]]
    shown = dict(zip(kept, await named_principals.show(ctx.db, kept), strict=True))
    return [
        {**row, column: shown[row[column]]} if row[column] and shown[row[column]] is not row[column] else row
        for row in rows
    ]
