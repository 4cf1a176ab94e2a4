"""Who is asking, and the Principal and NotPrincipal elements."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ACCOUNT = re.compile(r"(?:arn:aws:iam::)?(\d{12})(?::root)?")


class PrincipalKind(enum.StrEnum):
    """The kinds of callers that the evaluation rules tell apart."""

    USER = "User"
    ROOT = "Account"
    ASSUMED_ROLE = "AssumedRole"
    FEDERATED_USER = "FederatedUser"
    WEB_IDENTITY = "WebIdentity"
    SERVICE = "Service"
    ANONYMOUS = "Anonymous"


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller as policies see it.

    `id` and `issuer_id` are the unique ids of caller and issuer, by which stored policies may name them; root has none.
    `arn` is the caller itself (a session's ARN for sessions, `ec2.amazonaws.com` for a service, an identity provider
    for web identities); `issuer` the IAM identity behind a session: the role, or the user of a federated user.
    """

    kind: PrincipalKind
    arn: str
    account: str
    issuer: str = ""
    service_linked: bool = False
    id: str = ""
    issuer_id: str = ""


ANONYMOUS = Caller(PrincipalKind.ANONYMOUS, "", "")


class Named(enum.IntEnum):
    """How closely a Principal element names the caller; greater is closer."""

    NOT = 0
    ACCOUNT = 1
    """Through its account: the account's own policies decide further."""
    ISSUER = 2
    """By the role or user behind a session."""
    DIRECTLY = 3


@dataclass(frozen=True, slots=True)
class PrincipalElement:
    """A compiled Principal or NotPrincipal."""

    negated: bool
    with_members: bool
    """Whether an account that NotPrincipal names stands for all in it: as AWS has it, an Allow spares them all, a Deny
    only the account itself."""
    everyone: bool
    accounts: frozenset[str]
    arns: frozenset[str]
    services: frozenset[str]
    federated: frozenset[str]

    @classmethod
    def of(cls, statement: Mapping[str, Any]) -> PrincipalElement | None:
        """Compile the element of a statement; None where it has neither."""
        negated = "NotPrincipal" in statement
        raw = statement.get("NotPrincipal" if negated else "Principal")
        if raw is None:
            return None
        if raw == "*":
            raw = {"AWS": "*"}
        named = {kind: [value] if isinstance(value, str) else list(value) for kind, value in raw.items()}
        aws = named.get("AWS", [])
        accounts = {found[1] for name in aws if (found := _ACCOUNT.fullmatch(name))}
        return cls(
            negated=negated,
            with_members=statement.get("Effect") == "Allow",
            everyone="*" in aws,
            accounts=frozenset(accounts),
            arns=frozenset(aws),
            services=frozenset(named.get("Service", [])),
            federated=frozenset(named.get("Federated", [])),
        )

    def names(self, caller: Caller) -> Named:
        """How closely the element covers a caller, NotPrincipal already turned round."""
        named = self._names(caller)
        if not self.negated:
            return named
        if named is Named.ACCOUNT and not self.with_members and caller.kind is not PrincipalKind.ROOT:
            named = Named.NOT
        return Named.DIRECTLY if named is Named.NOT else Named.NOT

    def _names(self, caller: Caller) -> Named:
        if self.everyone:
            return Named.DIRECTLY
        if caller.kind is PrincipalKind.ANONYMOUS:
            return Named.NOT
        if caller.kind is PrincipalKind.SERVICE:
            return Named.DIRECTLY if caller.arn in self.services else Named.NOT
        if caller.kind is PrincipalKind.WEB_IDENTITY:
            return Named.DIRECTLY if caller.arn in self.federated else Named.NOT
        if caller.arn in self.arns or (caller.id and caller.id in self.arns):
            return Named.DIRECTLY
        if self._names_issuer(caller):
            return Named.ISSUER
        return Named.ACCOUNT if caller.account and caller.account in self.accounts else Named.NOT

    def _names_issuer(self, caller: Caller) -> bool:
        return bool(caller.issuer) and (
            caller.issuer in self.arns or (bool(caller.issuer_id) and caller.issuer_id in self.arns)
        )
