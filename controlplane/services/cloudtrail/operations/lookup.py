"""Looking up what happened in the last 90 days."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from controlplane.access.trail import reading
from controlplane.access.trail.reading import Found
from controlplane.access.trail.recorder import USER, names_of
from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.cloudtrail.errors import (
    InvalidLookupAttributesException,
    InvalidNextTokenException,
    InvalidTimeRangeException,
)

if TYPE_CHECKING:
    from types_boto3_cloudtrail.type_defs import LookupEventsRequestTypeDef

_DAYS = 90
_PAGE = 50
_AT_ONCE = 8
_MOST_CHUNKS = 400
"""So many chunks one request looks through; a page may then hold less than there is, and says where to go on."""
_TERMS = {
    "EventName": "n",
    "EventSource": "s",
    "ReadOnly": "o",
    "Username": "u",
    "AccessKeyId": "k",
    "ResourceName": "r",
    "ResourceType": "t",
}

Template = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Wanted:
    start: datetime
    end: datetime
    term: str | None
    test: Callable[[Template], bool]
    id: str | None = None


@operation("LookupEvents", on=ANY)
async def lookup_events(ctx: Context, request: LookupEventsRequestTypeDef) -> dict[str, Any]:
    """Management events of this region, newest first, by at most one attribute.

    Raises InvalidLookupAttributesException, InvalidTimeRangeException, InvalidNextTokenException.
    """
    if request.get("EventCategory") == "insight":
        return {"Events": []}
    wanted = _wanted(request)
    asked = hashlib.sha256(
        orjson.dumps([wanted.term, wanted.id, str(request.get("StartTime")), str(request.get("EndTime"))])
    )
    before = _position(request.get("NextToken"), asked.hexdigest()[:16])
    limit = request.get("MaxResults") or _PAGE
    found, last = await _search(ctx, wanted, before, limit)
    answer: dict[str, Any] = {"Events": [_shown(item) for item in found]}
    if last is not None:
        answer["NextToken"] = encode_token([asked.hexdigest()[:16], *last])
    return answer


def _wanted(request: LookupEventsRequestTypeDef) -> _Wanted:
    now = datetime.now(UTC)
    start: Any = request.get("StartTime") or now - timedelta(days=_DAYS)
    end: Any = request.get("EndTime") or now + timedelta(minutes=1)
    if start > end:
        raise InvalidTimeRangeException("Start time must be before end time.")
    start = max(start, now - timedelta(days=_DAYS))
    attributes = request.get("LookupAttributes") or []
    if len(attributes) > 1:
        raise InvalidLookupAttributesException("You can specify one lookup attribute only.")
    if not attributes:
        return _Wanted(start, end, None, lambda _: True)
    key, value = attributes[0]["AttributeKey"], attributes[0]["AttributeValue"]
    if key == "EventId":
        moment = reading.moment_of(value)
        if moment is None:
            return _Wanted(end, start, None, lambda _: False)
        return _Wanted(max(start, moment), min(end, moment), None, lambda _: True, value)
    return _Wanted(start, end, f"{_TERMS[key]}:{value}", lambda template: value in _values(template, key))


def _values(template: Template, key: str) -> set[str]:
    if key == "EventName":
        return {template["eventName"]}
    if key == "EventSource":
        return {template["eventSource"]}
    if key == "ReadOnly":
        return {str(template["readOnly"]).lower()}
    if key == "Username":
        return {template[USER]}
    if key == "AccessKeyId":
        return {template["userIdentity"].get("accessKeyId", "")}
    resources = template.get("resources", ())
    if key == "ResourceType":
        return {resource.get("type", "") for resource in resources}
    return {name for resource in resources for name in names_of(resource["ARN"])}


def _position(token: str | None, asked: str) -> tuple[int, str] | None:
    if token is None:
        return None
    try:
        of, moment, id = decode_token(token)
        if of != asked or not isinstance(moment, int) or not isinstance(id, str):
            raise ValueError
        datetime.fromtimestamp(moment / 1000, UTC)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise InvalidNextTokenException("Invalid Token") from error
    return moment, id


async def _search(
    ctx: Context, wanted: _Wanted, before: tuple[int, str] | None, limit: int
) -> tuple[list[Found], tuple[int, str] | None]:
    """A page, newest first, and where the next one starts. Chunks overlap: a call is given out when no chunk that was
    not read yet can hold a later one."""
    first, last = _milliseconds(wanted.start), _milliseconds(wanted.end)
    end = wanted.end if before is None else min(wanted.end, datetime.fromtimestamp(before[0] / 1000, UTC))
    waiting: list[Found] = []
    skip = 0
    while True:
        rows = await reading.chunks(ctx.db, ctx.account_id, ctx.region, wanted.start, end, wanted.term, _AT_ONCE, skip)
        skip += len(rows)
        for row in rows:
            for call in reading.calls(row["events"], wanted.test):
                fits = first <= call.order[0] <= last and wanted.id in (None, call.order[1])
                if fits and (before is None or call.order < before):
                    waiting.append(call)
        over = len(rows) < _AT_ONCE
        horizon = 0 if over else _milliseconds(rows[-1]["last_at"])
        page = heapq.nlargest(limit + 1, (call for call in waiting if call.order[0] > horizon), key=lambda c: c.order)
        if len(page) > limit:
            return page[:limit], page[limit - 1].order
        if over:
            return page, None
        if skip >= _MOST_CHUNKS:
            return page, (horizon + 1, "")


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _shown(found: Found) -> dict[str, Any]:
    event, template = found.event, found.template
    answer: dict[str, Any] = {
        "EventId": event["eventID"],
        "EventName": event["eventName"],
        "ReadOnly": str(event["readOnly"]).lower(),
        "EventTime": datetime.fromtimestamp(found.order[0] // 1000, UTC),
        "EventSource": event["eventSource"],
        "Username": template[USER],
        "Resources": [
            {"ResourceType": resource.get("type", ""), "ResourceName": resource["ARN"]}
            for resource in event.get("resources", ())
        ],
        "CloudTrailEvent": orjson.dumps(event).decode(),
    }
    if key := event["userIdentity"].get("accessKeyId"):
        answer["AccessKeyId"] = key
    return answer
