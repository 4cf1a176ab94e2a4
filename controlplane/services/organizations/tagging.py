"""Tags of what an organization holds."""

from __future__ import annotations

from typing import Any

from controlplane.core.tags import MAX_TAGS, to_dict
from controlplane.services.organizations.errors import ConstraintViolationException, InvalidInputException


def requested(request: Any) -> dict[str, str]:
    """The tags of a request. Raises InvalidInput, ConstraintViolation."""
    given = request.get("Tags") or []
    tags = to_dict(given)
    if len(tags) != len(given):
        raise InvalidInputException(
            "DUPLICATE_TAG_KEY", "Tag keys must be unique among the tags attached to an entity."
        )
    if any(key.lower().startswith("aws:") for key in tags):
        raise InvalidInputException("INVALID_SYSTEM_TAGS_PARAMETER", "You specified a tag key that is a system tag.")
    check_count(len(tags))
    return tags


def check_count(count: int) -> None:
    """Raises ConstraintViolation."""
    if count > MAX_TAGS:
        raise ConstraintViolationException(
            "MAX_TAG_LIMIT_EXCEEDED", "You have exceeded the number of tags allowed on this resource."
        )
