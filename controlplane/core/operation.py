"""How a service declares an operation, with its permission beside it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from controlplane.core.context import Context

Request = Mapping[str, Any]
Implementation = Callable[[Context, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Resource:
    """What the policy engine is asked about: an ARN (or `*`), the tags and resource policy it has now, and condition
    values that only the service knows (such as `ec2:InstanceType`). `row` is what was read for this; an operation that
    only reads finds it in `ctx.resources` and need not read it again. `action` is asked about where it is not the
    operation's (GetObject of a version needs `s3:GetObjectVersion`)."""

    arn: str
    tags: Mapping[str, str] = field(default_factory=dict)
    policy: Mapping[str, Any] | None = None
    conditions: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    row: Any = None
    action: str | None = None


Answer = str | Resource | Sequence[str | Resource]
ResourceFunction = Callable[[Context, Any], Answer | Awaitable[Answer]]


class NoPermissionNeeded:
    """For the few operations that AWS lets everybody with valid credentials call (GetCallerIdentity)."""


class Unauthenticated:
    """For the few operations that are called without credentials (AssumeRoleWithWebIdentity)."""


class SignedByCertificate:
    """For what is called with the signature of an X.509 certificate's key (CreateSession of Roles Anywhere). The
    certificates are in the principal's session, their holder's key proven and nothing else."""


@dataclass(frozen=True, slots=True)
class OrUnsigned:
    """For the few operations whose addresses are sent to people (ConfirmSubscription): a signed call is asked about as
    usual, an unsigned one comes as the anonymous principal, and the operation itself says what it may."""

    on: Any


ANY = "*"
NO_PERMISSION_NEEDED = NoPermissionNeeded()
UNAUTHENTICATED = Unauthenticated()
SIGNED_BY_CERTIFICATE = SignedByCertificate()
NoPermission = NoPermissionNeeded | Unauthenticated | SignedByCertificate
On = str | ResourceFunction | NoPermission | OrUnsigned


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """One implemented operation: its name in the API, the permission it needs and the function that does it."""

    name: str
    on: On
    action: str | None
    run: Implementation
    own_dry_run: bool = False


F = TypeVar("F", bound=Implementation)


def operation(name: str, *, on: On, action: str | None = None, own_dry_run: bool = False) -> Callable[[F], F]:
    """Declare the implementation of an API operation.

    `on` says which resources the policy engine is asked about; it has no default, so nothing can be left unguarded.
    `action` is the IAM action where its name is not the operation's (HeadObject needs `s3:GetObject`).
    With `own_dry_run` the operation itself answers to `DryRun`; for all others the answer is EC2's, before they run.
    """
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]+", name):
        raise ValueError(f"not an operation name: {name!r}")

    def declare(function: F) -> F:
        function.__operation__ = OperationSpec(name, on, action, function, own_dry_run)  # type: ignore[attr-defined]
        return function

    return declare
