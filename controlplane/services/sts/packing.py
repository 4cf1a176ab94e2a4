"""What a session carries: its policies and tags, checked and measured as STS does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controlplane.access.policy.grammar import MalformedPolicy, validate_identity
from controlplane.core.tags import to_dict
from controlplane.services.sts.errors import (
    InvalidParameterValue,
    MalformedPolicyDocument,
    PackedPolicyTooLarge,
    ValidationError,
)

_ROOM = 4096
"""Characters of policies and tags that a token may carry; STS tells how much of its room is taken in percent."""
_MAX_TAGS = 50
_MOST_ARNS = 10


def policies(request: Any, account_id: str) -> tuple[list[str], list[str]]:
    """Documents and ARNs of session policies; the ARNs must be AWS's or of the session's account.

    Raises MalformedPolicyDocument, ValidationError.
    """
    documents = [request["Policy"]] if request.get("Policy") else []
    for document in documents:
        try:
            validate_identity(document)
        except MalformedPolicy as error:
            raise MalformedPolicyDocument(str(error)) from error
    arns = [item["arn"] for item in request.get("PolicyArns") or () if item.get("arn")]
    if len(arns) > _MOST_ARNS:
        raise ValidationError(f"The number of session policies exceeds the limit of {_MOST_ARNS}.")
    for arn in arns:
        if not arn.startswith((f"arn:aws:iam::{account_id}:policy/", "arn:aws:iam::aws:policy/")):
            raise ValidationError(f"Invalid policy ARN: {arn}")
    return documents, arns


def tags(request: Any) -> dict[str, str]:
    """The session tags of a request. Raises InvalidParameterValue."""
    return check_tags(request.get("Tags") or [])


def check_tags(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Session tags from wherever they come. Raises InvalidParameterValue."""
    found = to_dict(given)
    if len({key.lower() for key in found}) != len(given):
        raise InvalidParameterValue("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if len(found) > _MAX_TAGS:
        raise InvalidParameterValue(f"The number of session tags exceeds the limit of {_MAX_TAGS}.")
    if any(key.lower().startswith("aws:") for key in found):
        raise InvalidParameterValue("Tag keys that start with 'aws:' are reserved for system use.")
    return found


def percentage(documents: list[str], arns: list[str], given: dict[str, str]) -> int | None:
    """How much of a token's room is taken; None where nothing was packed. Raises PackedPolicyTooLarge."""
    if not documents and not arns and not given:
        return None
    size = sum(map(len, documents)) + sum(map(len, arns)) + sum(len(key) + len(value) for key, value in given.items())
    share = max(1, size * 100 // _ROOM)
    if share > 100:
        raise PackedPolicyTooLarge(
            f"Packed size of session tags consumes {share}% of allotted space."
            if given and not documents
            else f"Packed policy consumes {share}% of allotted space, please use smaller policy."
        )
    return share
