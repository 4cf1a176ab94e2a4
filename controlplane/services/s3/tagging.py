"""Tags of buckets and objects, within S3's limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from controlplane.services.s3.errors import InvalidArgument, InvalidTag, S3Error

MOST_OF_OBJECT, MOST_OF_BUCKET = 10, 50
_LONGEST_KEY, _LONGEST_VALUE = 128, 256
_SYSTEM = "System tags cannot be added/updated by requester"
_SYSTEM_OF_OBJECT = "Your TagKey cannot be prefixed with aws:"
_TEXT = re.compile(r"[\w\s+\-=._:/@]*")


class TooManyTags(S3Error):
    code = "BadRequest"


def of_set(tagging: Mapping[str, Any] | None, most: int) -> dict[str, str]:
    """The tags of a Tagging document. Raises InvalidTag, BadRequest."""
    pairs = [(tag.get("Key") or "", tag.get("Value") or "") for tag in (tagging or {}).get("TagSet") or ()]
    return _checked(pairs, most)


def of_new_bucket(tags: Any) -> dict[str, str]:
    """The tags that a bucket is created with. Raises InvalidTag, BadRequest."""
    if any((tag.get("Key") or "").startswith("aws:") for tag in tags or ()):
        raise InvalidTag(
            'User-defined tag keys can\'t start with "aws:". This prefix is reserved for system tags. Remove "aws:" '
            "from your tag keys and try again."
        )
    return of_set({"TagSet": tags}, MOST_OF_BUCKET)


def of_header(text: str | None) -> dict[str, str] | None:
    """The tags of `x-amz-tagging`, which is a query string; None without any."""
    if not text:
        return None
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:
        raise _unreadable(text) from error
    if len({key for key, _ in pairs}) != len(pairs) or any(part.count("=") > 1 for part in text.split("&")):
        raise _unreadable(text)
    return _checked(pairs, MOST_OF_OBJECT)


def _unreadable(text: str) -> InvalidArgument:
    return InvalidArgument(
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
        "name duplicates.",
        ArgumentName="x-amz-tagging", ArgumentValue=text[:1024],
    )  # fmt: skip


def _checked(pairs: list[tuple[str, str]], most: int) -> dict[str, str]:
    if len(pairs) > most:
        noun = "Object tags" if most == MOST_OF_OBJECT else "Bucket tag count"
        raise TooManyTags(f"{noun} cannot be greater than {most}")
    found: dict[str, str] = {}
    for key, value in pairs:
        if not key or len(key) > _LONGEST_KEY or not _TEXT.fullmatch(key):
            raise InvalidTag("The TagKey you have provided is invalid", TagKey=key[:256])
        if key.lower().startswith("aws:"):
            raise InvalidTag(_SYSTEM_OF_OBJECT if most == MOST_OF_OBJECT else _SYSTEM, TagKey=key[:256])
        if len(value) > _LONGEST_VALUE or not _TEXT.fullmatch(value):
            raise InvalidTag("The TagValue you have provided is invalid", TagKey=key, TagValue=value[:512])
        if key in found:
            raise InvalidTag("Cannot provide multiple Tags with the same key", TagKey=key)
        found[key] = value
    return found


def shown(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Tags as the API tells them, in the order of their keys."""
    return [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]
