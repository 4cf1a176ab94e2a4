"""What became of mails, told to topics: the events of configuration sets and the notifications of identities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import getaddresses
from typing import Any
from uuid import uuid4

import orjson

from controlplane.core.context import Unit
from controlplane.work.wake import wake

NOTICE = "ses.notice"
"""The kind of work that brings an event to its topic."""
_INSERT = """
INSERT INTO ses_notices (id, account_id, topic, source_arn, subject, message) VALUES ($1, $2, $3, $4, $5, $6)
"""
_MOST_HEADER_BYTES = 10 * 1024
_NAMES = {"Rendering Failure": ("RENDERING_FAILURE", "failure")}
_OF_IDENTITIES = ("Bounce", "Complaint", "Delivery")


@dataclass(frozen=True, slots=True)
class Event:
    """`type` as events call it (`Bounce`), `detail` in AWS's shape."""

    type: str
    detail: Mapping[str, Any]


def now() -> str:
    """A time as events write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def described(parsed: Message, message_id: str, **more: Any) -> dict[str, Any]:
    """The `mail` of events: its headers and what else is known of it."""
    headers = [{"name": name, "value": str(value)} for name, value in parsed.items()]
    size, kept = 0, 0
    for header in headers:
        size += len(header["name"]) + len(header["value"])
        kept += size <= _MOST_HEADER_BYTES
    shown: dict[str, Any] = {}
    for key in ("From", "To", "Cc", "Reply-To"):
        if parsed[key]:
            name = key[0].lower() + key[1:].replace("-", "")
            shown[name] = [
                f"{real} <{address}>" if real else address for real, address in getaddresses([str(parsed[key])])
            ]
    shown |= {"date": str(parsed["Date"])} if parsed["Date"] else {}
    shown["messageId"] = message_id
    shown |= {"subject": str(parsed["Subject"])} if parsed["Subject"] else {}
    return {
        "timestamp": now(),
        **more,
        "messageId": message_id,
        "headersTruncated": kept < len(headers),
        "headers": headers[:kept],
        "commonHeaders": shown,
    }


async def tell(db: Unit, account_id: str, facts: Mapping[str, Any], events: Iterable[Event]) -> None:
    """Note events for all topics that want them. `facts`: `mail`, `arn`, `topics` (topic and kinds of events), and
    `identity` (topic and whether with headers, by kind of notification)."""
    for event in events:
        kind, member = _NAMES.get(event.type, (event.type.upper(), event.type.lower()))
        body: dict[str, Any] = {"eventType": event.type, "mail": facts["mail"], member: event.detail}
        for topic, kinds in facts["topics"]:
            if kind in kinds:
                await _note(db, account_id, facts["arn"], topic, "Amazon SES Email Event Notification", body)
        own = facts["identity"].get(event.type) if event.type in _OF_IDENTITIES else None
        if own:
            left_out = () if own["headers"] else ("headers", "headersTruncated", "commonHeaders")
            mail = {key: value for key, value in facts["mail"].items() if key not in ("tags", *left_out)}
            body = {"notificationType": event.type, "mail": mail, member: event.detail}
            await _note(db, account_id, facts["arn"], own["topic"], "Amazon SES Email Receipt Notification", body)


async def tell_topic(db: Unit, account_id: str, arn: str, topic: str, subject: str, body: Mapping[str, Any]) -> None:
    """Note a message for one topic."""
    await _note(db, account_id, arn, topic, subject, body)


async def _note(db: Unit, account_id: str, arn: str, topic: str, subject: str, body: Mapping[str, Any]) -> None:
    id = uuid4()
    text = orjson.dumps(body).decode()
    await db.execute(_INSERT, id, account_id, topic, arn, subject, text)
    await wake(db, NOTICE, str(id))
