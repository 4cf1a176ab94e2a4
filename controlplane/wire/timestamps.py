"""Times on the wire: ISO 8601, seconds since 1970, and HTTP dates. In Python always aware and in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from controlplane.wire.errors import Malformed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,9})?([eE][+-]?\d{1,2})?")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONGEST = 64


def parse_iso8601(text: str) -> datetime:
    """`2014-04-29T18:30:38Z`, also with fraction, with offset or as a date alone. Raises Malformed."""
    if len(text) > _LONGEST or not text.isascii():
        raise Malformed("timestamp must follow ISO8601", value=text)
    try:
        value = datetime.fromisoformat(text.strip())
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Malformed("timestamp must follow ISO8601", value=text) from error


def parse_epoch(value: Any) -> datetime:
    """Seconds since 1970, as a number or its text. Raises Malformed."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise Malformed("timestamp must be seconds since the epoch", value=value)
        value = float(value)
    try:
        # From 1970 on and by whole microseconds: fromtimestamp() rounds differently before 1970 and for large values.
        return _EPOCH + timedelta(microseconds=round(value * 1_000_000))
    except (ValueError, OverflowError) as error:
        raise Malformed("timestamp is out of range") from error


def parse_http_date(text: str) -> datetime:
    """`Tue, 29 Apr 2014 18:30:38 GMT`, also with a fraction. Raises Malformed."""
    if len(text) > _LONGEST or not text.isascii():
        raise Malformed("timestamp must be an HTTP date", value=text)
    whole, fraction = text, ""
    if match := re.search(r"(:\d\d)\.(\d{1,9})(?= )", text):
        whole, fraction = text[: match.end(1)] + text[match.end() :], match[2]
    try:
        value = parsedate_to_datetime(whole)
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        raise Malformed("timestamp must be an HTTP date", value=text) from error
    return value.replace(microsecond=int(fraction[:6].ljust(6, "0"))) if fraction else value


PARSERS: dict[str, Callable[[str], datetime]] = {
    "iso8601": parse_iso8601,
    "unixtimestamp": parse_epoch,
    "rfc822": parse_http_date,
}


def _utc(value: datetime) -> datetime:
    if value.tzinfo is UTC:
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def iso8601(value: datetime) -> str:
    """To the second, or to the millisecond where there are any, as most of AWS prints it."""
    value = _utc(value)
    text = f"{value.year:04d}-{value.month:02d}-{value.day:02d}T{value.hour:02d}:{value.minute:02d}:{value.second:02d}"
    milliseconds = value.microsecond // 1000
    return f"{text}.{milliseconds:03d}Z" if milliseconds else f"{text}Z"


def iso8601_milliseconds(value: datetime) -> str:
    """Always with three digits of fraction, as EC2 and S3 print it."""
    text = iso8601(value)
    return text if len(text) > 20 else f"{text[:-1]}.000Z"


def iso8601_seconds(value: datetime) -> str:
    """Whole seconds with three zeros behind, as S3 prints it."""
    return iso8601_milliseconds(value.replace(microsecond=0))


def epoch(value: datetime) -> int | float:
    """Seconds since 1970, whole where they are, else to the millisecond."""
    since = _utc(value) - _EPOCH
    seconds = since.days * 86400 + since.seconds
    milliseconds = since.microseconds // 1000
    return seconds + milliseconds / 1000 if milliseconds else seconds


def epoch_text(value: datetime) -> str:
    return str(epoch(value))


@lru_cache(maxsize=1024)
def http_date(value: datetime) -> str:
    """`Tue, 29 Apr 2014 18:30:38 GMT`, whatever the locale."""
    value = _utc(value)
    return (
        f"{_DAYS[value.weekday()]}, {value.day:02d} {_MONTHS[value.month - 1]} {value.year:04d} "
        f"{value.hour:02d}:{value.minute:02d}:{value.second:02d} GMT"
    )


FORMATTERS: dict[str, Callable[[datetime], str]] = {
    "iso8601": iso8601,
    "unixtimestamp": epoch_text,
    "rfc822": http_date,
}
