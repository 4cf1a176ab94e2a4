"""Where a list goes on, and tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from controlplane.core.paging import encode_token

T = TypeVar("T")


def size(request: Any, most: int) -> int:
    """How many items a request wants."""
    return min(max(request.get("PageSize") or most, 1), most)


def more(rows: Sequence[T], size: int, key: Callable[[T], str]) -> dict[str, str]:
    """The NextToken, where there is more."""
    return {"NextToken": encode_token(key(rows[size - 1]))} if len(rows) > size else {}


def tags(given: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags as they are kept."""
    return {tag["Key"]: tag["Value"] for tag in given or ()}


def shown_tags(kept: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(kept.items())]
