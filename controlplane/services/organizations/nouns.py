"""Ids and ARNs of what an organization holds, and the types of its policies."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCP = "SERVICE_CONTROL_POLICY"
RCP = "RESOURCE_CONTROL_POLICY"
FULL_ACCESS = "p-FullAWSAccess"
RCP_FULL_ACCESS = "p-RCPFullAWSAccess"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_ALLOW_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
_RCP_ALLOW_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'


@dataclass(frozen=True, slots=True)
class PolicyType:
    """What AWS allows of one type: its longest content (white space not counted) and how many a target may have."""

    size: int
    most: int


_MANAGEMENT = PolicyType(10_000, 10)
POLICY_TYPES: dict[str, PolicyType] = {
    SCP: PolicyType(5_120, 5),
    RCP: PolicyType(5_120, 5),
    "TAG_POLICY": _MANAGEMENT,
    "BACKUP_POLICY": _MANAGEMENT,
    "AISERVICES_OPT_OUT_POLICY": PolicyType(2_500, 5),
    "CHATBOT_POLICY": PolicyType(10_000, 5),
    "DECLARATIVE_POLICY_EC2": _MANAGEMENT,
    "SECURITYHUB_POLICY": _MANAGEMENT,
    "INSPECTOR_POLICY": _MANAGEMENT,
    "UPGRADE_ROLLOUT_POLICY": _MANAGEMENT,
    "BEDROCK_POLICY": _MANAGEMENT,
    "S3_POLICY": _MANAGEMENT,
}
"""The types that can be enabled here. The first two are enforced, the others are merged and told."""

AWS_POLICIES: dict[str, dict[str, Any]] = {
    FULL_ACCESS: {
        "id": FULL_ACCESS,
        "organization_id": None,
        "type": SCP,
        "name": "FullAWSAccess",
        "description": "Allows access to every operation",
        "content": _ALLOW_ALL,
    },
    RCP_FULL_ACCESS: {
        "id": RCP_FULL_ACCESS,
        "organization_id": None,
        "type": RCP,
        "name": "RCPFullAWSAccess",
        "description": "Allows access to every resource",
        "content": _RCP_ALLOW_ALL,
    },
}
DEFAULTS = {SCP: FULL_ACCESS, RCP: RCP_FULL_ACCESS}
"""What every root, unit and account has from the moment that a type is enabled."""


def new_id(prefix: str, length: int) -> str:
    """An id such as `o-` and ten letters or digits."""
    return f"{prefix}-" + "".join(secrets.choice(_LETTERS) for _ in range(length))


def new_unit(root_id: str) -> str:
    """The id of a unit names its root: `ou-` root `-` eight letters or digits."""
    return new_id(f"ou-{root_id.removeprefix('r-')}", 8)


def _arn(organization: Mapping[str, Any], kind: str, rest: str) -> str:
    return f"arn:aws:organizations::{organization['management_id']}:{kind}/{organization['id']}{rest}"


def organization_arn(organization: Mapping[str, Any]) -> str:
    return _arn(organization, "organization", "")


def account_arn(organization: Mapping[str, Any], id: str) -> str:
    return _arn(organization, "account", f"/{id}")


def policy_arn(organization: Mapping[str, Any], policy: Mapping[str, Any]) -> str:
    """The ARN of a policy's row; AWS's own belong to nobody."""
    kind = policy["type"].lower()
    if policy["id"] in AWS_POLICIES:
        return f"arn:aws:organizations::aws:policy/{kind}/{policy['id']}"
    return _arn(organization, "policy", f"/{kind}/{policy['id']}")


def handshake_arn(organization: Mapping[str, Any], handshake: Mapping[str, Any]) -> str:
    return _arn(organization, "handshake", f"/{handshake['action'].lower()}/{handshake['id']}")


def target_arn(organization: Mapping[str, Any], id: str) -> str:
    """The ARN of a root, a unit, an account or the resource policy, told apart by the id."""
    kind = target_kind(id)
    if kind == "ACCOUNT":
        return account_arn(organization, id)
    if id.startswith("rp-"):
        return _arn(organization, "resourcepolicy", f"/{id}")
    return _arn(organization, "root" if kind == "ROOT" else "ou", f"/{id}")


def target_kind(id: str) -> str:
    """ROOT, ORGANIZATIONAL_UNIT or ACCOUNT."""
    return "ROOT" if id.startswith("r-") else "ORGANIZATIONAL_UNIT" if id.startswith("ou-") else "ACCOUNT"
