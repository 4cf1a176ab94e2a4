"""Who makes a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

PrincipalKind = Literal["root", "user", "assumed-role", "federated-user", "service", "web-identity", "anonymous"]


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    `arn` is what policies and CloudTrail see (for a role session the session's ARN). `session` carries what the
    credentials themselves say: session policies, tags, MFA, issue time, source identity.
    """

    kind: PrincipalKind
    account_id: str
    arn: str
    user_id: str
    name: str = ""
    access_key_id: str | None = None
    session: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_root(self) -> bool:
        return self.kind == "root"


def web_identity(provider_arn: str, subject: str) -> Principal:
    """Somebody whom an OIDC or SAML provider vouches for. Belongs to no account; only trust policies can let it in."""
    return Principal("web-identity", "", provider_arn, subject, subject)


def service_principal(name: str, account_id: str) -> Principal:
    """A service of the cloud acting in an account, such as `ec2.amazonaws.com`."""
    return Principal("service", account_id, name, name, name)


ANONYMOUS = Principal("anonymous", "", "*", "anonymous")
