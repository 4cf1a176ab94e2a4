"""Pages, tags and what else several operations answer alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from controlplane.core.paging import decode_token, encode_token
from controlplane.services.kms.errors import DryRunOperationException, InvalidMarkerException, TagException

MOST_TAGS = 50


def asked(request: Mapping[str, Any], usual: int, most: int = 1000) -> tuple[str | None, int]:
    """Where a page starts and how long it is. Raises InvalidMarkerException."""
    limit = min(request.get("Limit") or usual, most)
    marker = request.get("Marker")
    if marker is None:
        return None, limit
    try:
        after = decode_token(marker)
    except ValueError:
        after = None
    if not isinstance(after, str):
        raise InvalidMarkerException(f"Could not deserialize marker '{marker}'")
    return after, limit


def page(
    member: str, rows: Sequence[Any], limit: int, show: Callable[[Any], Any], position: Callable[[Any], str]
) -> dict[str, Any]:
    """A page of at most `limit`; one row more than that says that there is a next."""
    found: dict[str, Any] = {member: [show(row) for row in rows[:limit]], "Truncated": len(rows) > limit}
    if len(rows) > limit:
        found["NextMarker"] = encode_token(position(rows[limit - 1]))
    return found


def tags_of(given: Sequence[Any] | None, held: Mapping[str, str]) -> dict[str, str]:
    """Tags after adding some. Raises TagException."""
    keys = [tag["TagKey"] for tag in given or ()]
    if len(set(keys)) != len(keys):
        raise TagException("Duplicate tag keys")
    if any(key.lower().startswith("aws:") for key in keys):
        raise TagException("Tags beginning with aws: are reserved")
    tags = {**held, **{tag["TagKey"]: tag["TagValue"] for tag in given or ()}}
    if len(tags) > MOST_TAGS:
        raise TagException("Too many tags")
    return tags


def shown_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as KMS spells them, by key."""
    return [{"TagKey": key, "TagValue": tags[key]} for key in sorted(tags)]


def stop_dry_run(request: Mapping[str, Any]) -> None:
    """End a call that only asked whether it would succeed. Raises DryRunOperationException."""
    if request.get("DryRun"):
        raise DryRunOperationException("The request would have succeeded, but the DryRun option is set.")
