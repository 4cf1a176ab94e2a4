"""Checks of policy documents when they are stored: the grammar, sizes, and the principals of trust policies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from controlplane.access import queries as access
from controlplane.access.policy.grammar import MalformedPolicy, statements_of, validate_identity, validate_trust
from controlplane.core.arn import Arn
from controlplane.core.context import Context
from controlplane.services.iam.errors import LimitExceeded, MalformedPolicyDocument
from controlplane.services.iam.nouns import ROLE, USER
from controlplane.services.iam.queries import identities

MANAGED_SIZE = 6144
TRUST_SIZE = 2048

_ACCOUNT = re.compile(r"\d{12}")


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


async def check_trust(ctx: Context, document: str) -> None:
    """Refuse what is no trust policy, or names principals that do not exist. Raises MalformedPolicyDocument."""
    if size(document) > TRUST_SIZE:
        raise LimitExceeded(f"Cannot exceed quota for ACLSizePerRole: {TRUST_SIZE}")
    try:
        content = validate_trust(document)
    except MalformedPolicy as error:
        raise MalformedPolicyDocument(str(error)) from error
    for statement in statements_of(content):
        for kind, name in _principals(statement):
            if not await _exists(ctx, kind, name):
                raise MalformedPolicyDocument(f'Invalid principal in policy: "{kind}":"{name}"')


def _principals(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    element = statement.get("Principal", statement.get("NotPrincipal"))
    if isinstance(element, Mapping):
        for kind, names in element.items():
            for name in [names] if isinstance(names, str) else names:
                yield kind, name


async def _exists(ctx: Context, kind: str, name: str) -> bool:
    if kind == "Service":
        return bool(re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?", name))
    if kind != "AWS" or name == "*":
        return kind in ("AWS", "Federated")
    if _ACCOUNT.fullmatch(name):
        return await access.account(ctx.db, name) is not None
    try:
        arn = Arn.parse(name)
    except ValueError:
        return False
    sort, _, rest = arn.resource.partition("/")
    if arn.service == "iam" and arn.resource == "root":
        return await access.account(ctx.db, arn.account) is not None
    if arn.service == "sts" and sort in ("assumed-role", "federated-user"):
        noun = ROLE if sort == "assumed-role" else USER
        return await identities.find_in(ctx, arn.account, noun, rest.partition("/")[0]) is not None
    noun = {"user": USER, "role": ROLE}.get(sort) if arn.service == "iam" else None  # type: ignore[assignment]
    if noun is None:
        return False
    row = await identities.find_in(ctx, arn.account, noun, rest.rpartition("/")[2])
    return row is not None and noun.arn_of(row) == name
