"""Rules of a lifecycle: what they cover, and when they act."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from controlplane.core import storage_clock as clock
from controlplane.core.context import Cloud, Context
from controlplane.core.portable import native
from controlplane.services.s3 import compatibility, objects
from controlplane.services.s3.buckets import Bucket

LIFECYCLE = "s3.lifecycle"
"""The reconciler that carries them out, by the bucket's id."""
WATERFALL = (
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
)
"""Objects move down only."""
_SMALL = 128 * 1024
_ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


@dataclass(frozen=True, slots=True)
class Rule:
    """One enabled rule. `larger` and `smaller` are bounds that a size must pass."""

    id: str
    document: Mapping[str, Any]
    prefix: bytes = b""
    tags: Mapping[str, str] = field(default_factory=dict)
    larger: int | None = None
    smaller: int | None = None

    def covers(self, key: bytes, tags: Mapping[str, str] | None, size: int) -> bool:
        """Whether a version is meant."""
        held = tags or {}
        return (
            key.startswith(self.prefix)
            and all(held.get(name) == value for name, value in self.tags.items())
            and (self.larger is None or size > self.larger)
            and (self.smaller is None or size < self.smaller)
        )

    @property
    def of_sizes(self) -> bool:
        return self.larger is not None or self.smaller is not None


def of_bucket(bucket: Bucket) -> list[Rule]:
    """The rules that are enabled."""
    held = bucket.settings.get("lifecycle") or {}
    return [_parsed(native(rule)) for rule in held.get("Rules") or () if rule["Status"] == "Enabled"]


def _parsed(rule: Mapping[str, Any]) -> Rule:
    alone = rule.get("Filter") or {}
    filters = (alone, alone.get("And") or {})  # AWS takes one of them, Ceph's gateway both
    tags = [tag for each in filters for tag in (each.get("Tags") or [each.get("Tag")]) if tag]
    prefixes = [rule.get("Prefix") or "", *(each.get("Prefix") or "" for each in filters)]
    return Rule(
        rule["ID"],
        rule,
        max(prefixes, key=len).encode(),
        {tag.get("Key") or "": tag.get("Value") or "" for tag in tags},
        max(_values(filters, "ObjectSizeGreaterThan"), default=None),
        min(_values(filters, "ObjectSizeLessThan"), default=None),
    )


def _values(filters: Iterable[Mapping[str, Any]], name: str) -> list[int]:
    return [each[name] for each in filters if each.get(name) is not None]


def cutoff(action: Mapping[str, Any], now: datetime, day: float, days: str = "Days") -> datetime | None:
    """What is at least so old is due: by days (whole ones, at midnight) or a date; None where nothing is yet."""
    if action.get(days) is not None:
        return clock.midnight(now, day) - timedelta(seconds=min(action[days], clock.MOST_DAYS) * day)
    date: datetime | None = action.get("Date")
    return now if date is not None and date <= now else None


def least_size(cloud: Cloud, bucket: Bucket, rule: Rule, storage_class: str) -> int:
    """Smaller objects do not move: at AWS it would cost more than it saves. Filters by size override that."""
    if rule.of_sizes or compatibility.ceph(cloud):
        return 0
    held = bucket.settings["lifecycle"].get("TransitionDefaultMinimumObjectSize")
    return 0 if held == "varies_by_storage_class" and storage_class in _ARCHIVES else _SMALL


def expiration(bucket: Bucket, row: Mapping[str, Any], day: float) -> str | None:
    """The value of `x-amz-expiration` of a current version: the rule that comes first; None where it never expires."""
    if "lifecycle" not in bucket.settings:
        return None
    found = list(_expiries(bucket, row, day))
    if not found:
        return None
    moment, id = min(found, key=itemgetter(0))
    return f'expiry-date="{objects.http_date(moment)}", rule-id="{quote(id)}"'


def expires(ctx: Context, bucket: Bucket, row: Mapping[str, Any]) -> dict[str, str]:
    """The same as a member of an answer."""
    found = expiration(bucket, row, ctx.cloud.storage_day)
    return {} if found is None else {"Expiration": found}


def _expiries(bucket: Bucket, row: Mapping[str, Any], day: float) -> Iterator[tuple[datetime, str]]:
    for rule in of_bucket(bucket):
        action = rule.document.get("Expiration") or {}
        if not rule.covers(row["key"], row["tags"], row["size"]):
            continue
        if action.get("Days") is not None:
            yield clock.after_days(row["modified_at"], action["Days"], day), rule.id
        elif action.get("Date") is not None:
            yield action["Date"], rule.id


def aborts(ctx: Context, bucket: Bucket, key: bytes, begun: datetime) -> dict[str, Any]:
    """When which rule aborts an upload that is not complete by then, as members of an answer."""
    if "lifecycle" not in bucket.settings:
        return {}
    found = []
    for rule in of_bucket(bucket):
        days = (rule.document.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation")
        if days is not None and key.startswith(rule.prefix):
            found.append((clock.after_days(begun, days, ctx.cloud.storage_day), rule.id))
    if not found:
        return {}
    moment, id = min(found, key=itemgetter(0))
    return {"AbortDate": moment, "AbortRuleId": id}
