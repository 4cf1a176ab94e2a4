"""Conditional requests: RFC 9110's order, and S3's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from controlplane.core.errors import NotImplementedByCelaje
from controlplane.services.s3.errors import NotModified, PreconditionFailed

_READS = frozenset({"IfMatch", "IfNoneMatch", "IfModifiedSince", "IfUnmodifiedSince"})


def check_read(request: Mapping[str, Any], etag: str, modified_at: datetime) -> None:
    """Whether a read may go on. Raises PreconditionFailed, NotModified."""
    if _READS.isdisjoint(request):
        return
    modified = modified_at.replace(microsecond=0)
    match, none_match = request.get("IfMatch"), request.get("IfNoneMatch")
    since, unmodified = request.get("IfModifiedSince"), request.get("IfUnmodifiedSince")
    if match is not None:
        if not matches(match, etag):
            raise PreconditionFailed(Condition="If-Match")
    elif unmodified is not None and modified > unmodified:
        raise PreconditionFailed(Condition="If-Unmodified-Since")
    if none_match is not None:
        if matches(none_match, etag):
            raise NotModified(Condition="If-None-Match")
    elif since is not None and modified <= since <= datetime.now(UTC):  # a time to come is no condition
        raise NotModified(Condition="If-Modified-Since")


def check_copy(request: Mapping[str, Any], etag: str, modified_at: datetime) -> None:
    """Whether a copy's source is what it must be. Raises PreconditionFailed."""
    asked = {
        name: request.get(f"CopySource{name}")
        for name in ("IfMatch", "IfNoneMatch", "IfModifiedSince", "IfUnmodifiedSince")
    }
    try:
        check_read(asked, etag, modified_at)
    except NotModified as error:
        raise PreconditionFailed(Condition=f"x-amz-copy-source-{error.members['Condition']}") from error
    except PreconditionFailed as error:
        raise PreconditionFailed(Condition=f"x-amz-copy-source-{error.members['Condition']}") from error


def of_write(request: Mapping[str, Any], *, free: bool) -> tuple[str | None, str | None]:
    """If-Match and If-None-Match of a write: AWS has an entity tag for the one, `*` for the other, and never both;
    where they are `free`, either may have either. Raises NotImplemented."""
    match, none_match = request.get("IfMatch"), request.get("IfNoneMatch")
    if match is not None and none_match is not None:
        raise _unsupported("If-Match,If-None-Match", "Multiple conditional request headers present in the request")
    if free:
        return match, none_match
    if none_match is not None and none_match.strip() != "*":
        raise _unsupported("If-None-Match")
    if match is not None and match.strip() == "*":
        raise _unsupported("If-Match")
    return match, none_match


def refuse_appending(request: Mapping[str, Any]) -> None:
    """AWS appends to objects of directory buckets alone. Raises NotImplemented."""
    if request.get("WriteOffsetBytes") is not None:
        raise _unsupported("x-amz-write-offset-bytes")


def _unsupported(header: str, why: str = "") -> NotImplementedByCelaje:
    error = NotImplementedByCelaje("A header you provided implies functionality that is not implemented")
    why = why or f"We don't accept the provided value of {header} header for this API"
    error.members = {"Header": header, "additionalMessage": why}
    return error


def matches(tags: str, etag: str) -> bool:
    """Whether one of a header's entity tags is this one; `*` is any."""
    given = named(tags)
    return "*" in given or etag in given


def named(tags: str) -> list[str]:
    """The entity tags of a header, or `*`."""
    return [tag.strip().removeprefix("W/").strip('"') for tag in tags.split(",")]
