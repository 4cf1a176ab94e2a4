"""Tags: the two shapes that APIs use, and AWS's limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controlplane.core.errors import AwsError

MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256


def to_dict(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """`[{Key, Value}, …]` as a dictionary; what is missing is the empty string, which `check` refuses as a key."""
    return {tag.get("Key") or "": tag.get("Value") or "" for tag in tags or ()}


def to_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """A dictionary as `[{Key, Value}, …]`, sorted by key."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def check(tags: Mapping[str, str], *, code: str = "InvalidParameterValue") -> None:
    """Refuse what no AWS service takes: reserved or over-long keys and values, too many tags."""
    if len(tags) > MAX_TAGS:
        raise AwsError(f"Tag limit exceeded: {len(tags)} tags, maximum {MAX_TAGS}.", code="TagLimitExceeded")
    for key, value in tags.items():
        if not key or len(key) > MAX_KEY:
            raise AwsError(f"Tag key exceeds the maximum length of {MAX_KEY} characters or is empty.", code=code)
        if key.lower().startswith("aws:"):
            raise AwsError("Tag keys starting with 'aws:' are reserved for internal use", code=code)
        if len(value) > MAX_VALUE:
            raise AwsError(f"Tag value exceeds the maximum length of {MAX_VALUE} characters", code=code)
