"""Decision cases: one request, all policies that apply, the outcome. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ACCOUNT = "111111111111"
OTHER = "222222222222"
USER = f"arn:aws:iam::{ACCOUNT}:user/ann"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/web"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
FEDERATED = f"arn:aws:sts::{ACCOUNT}:federated-user/ann"
BUCKET = "arn:aws:s3:::bucket"
OBJECT = f"{BUCKET}/a/key"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs"

ALLOW = "allow"

Document = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """`expect` is `allow`, or what AWS's message ends in, such as `no identity-based policy` or `explicit deny in …`.

    `oracle` is False where the independent evaluator is known to lack or to mean something else.
    """

    name: str
    expect: str
    identity: list[Document] = field(default_factory=list)
    action: str = "s3:GetObject"
    resource: str = OBJECT
    owner: str = ACCOUNT
    caller: str = USER
    context: dict[str, str | list[str]] = field(default_factory=dict)
    boundary: Document | None = None
    session: list[Document] | None = None
    scp: list[list[Document]] = field(default_factory=list)
    rcp: list[list[Document]] = field(default_factory=list)
    policy: Document | None = None
    service_linked: bool = False
    delegates: bool = False
    oracle: bool = True


def document(*statements: Document, version: str = "2012-10-17") -> Document:
    return {"Version": version, "Statement": list(statements)}


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> Document:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "*", resource: Any = "*", **more: Any) -> Document:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def permit(action: Any = "*", resource: Any = "*", **more: Any) -> Document:
    """A whole policy with one Allow."""
    return document(allow(action, resource, **more))


def forbid(action: Any = "*", resource: Any = "*", **more: Any) -> Document:
    """A whole policy with one Deny."""
    return document(deny(action, resource, **more))


NO_IDENTITY = "no identity-based policy"
EVERYTHING = permit()
