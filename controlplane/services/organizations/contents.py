"""What policies may hold, and the policy that all levels together make for an account."""

from __future__ import annotations

import json
import re
from typing import Any

from controlplane.access.policy.grammar import MalformedPolicy, validate_control
from controlplane.core.context import Unit
from controlplane.services.organizations import inheritance, nouns
from controlplane.services.organizations.errors import (
    ConstraintViolationException,
    EffectivePolicyNotFoundException,
    MalformedPolicyDocumentException,
)
from controlplane.services.organizations.queries import policies, tree

_DEEPEST = 20


def check(type: str, content: str) -> None:
    """Raises MalformedPolicyDocument, ConstraintViolation."""
    if len(re.sub(r"\s", "", content)) > nouns.POLICY_TYPES[type].size:
        raise ConstraintViolationException("POLICY_CONTENT_LIMIT_EXCEEDED", "You have exceeded the policy size limit.")
    if type in nouns.DEFAULTS:
        try:
            validate_control(content, resource=type == nouns.RCP)
        except MalformedPolicy as error:
            raise MalformedPolicyDocumentException(
                f"{MalformedPolicyDocumentException.words} {error}".strip()
            ) from error
        return
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MalformedPolicyDocumentException from error
    if not isinstance(document, dict) or not document or inheritance.depth(document) > _DEEPEST:
        raise MalformedPolicyDocumentException


async def effective(db: Unit, organization: Any, member: Any, type: str) -> dict[str, Any]:
    """An EffectivePolicy of a management policy type. Raises EffectivePolicyNotFound."""
    units = await tree.units(db, organization["id"])
    steps = [*tree.path_of(organization, units, member["parent_id"]).split("/")[1:-1], member["member_id"]]
    known = await policies.of_type(db, organization["id"], type)
    levels = [
        [known[id] for id in sorted(await policies.on_target(db, organization["id"], step, type))] for step in steps
    ]
    if not any(levels):
        raise EffectivePolicyNotFoundException
    merged = inheritance.merge([[json.loads(row["content"]) for row in level] for level in levels])
    return {
        "PolicyContent": json.dumps(merged, separators=(",", ":")),
        "LastUpdatedTimestamp": max(row["updated_at"] for level in levels for row in level),
        "TargetId": member["member_id"],
        "PolicyType": type,
    }
