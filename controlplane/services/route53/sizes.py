"""How large a batch of changes may be. An UPSERT counts twice, whether something is there to be replaced or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_MOST_RECORDS, _MOST_CHARACTERS = 1000, 32_000

Change = Mapping[str, Any]


def excess(changes: Iterable[Change]) -> list[str]:
    """What AWS says of a batch that is too large."""
    sizes = [_size(change) for change in changes]
    messages = []
    if sum(records for records, _ in sizes) > _MOST_RECORDS:
        messages.append(f"Number of records limit of {_MOST_RECORDS} exceeded.")
    if sum(characters for _, characters in sizes) > _MOST_CHARACTERS:
        messages.append(f"RDATA character limit of {_MOST_CHARACTERS} exceeded.")
    return messages


def batches(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Changes in batches that are as large as they may be; one that is too large by itself is alone."""
    batch: list[Change] = []
    left = (_MOST_RECORDS, _MOST_CHARACTERS)
    for change in changes:
        records, characters = _size(change)
        if batch and (records > left[0] or characters > left[1]):
            yield batch
            batch, left = [], (_MOST_RECORDS, _MOST_CHARACTERS)
        batch.append(change)
        left = (left[0] - records, left[1] - characters)
    if batch:
        yield batch


def _size(change: Change) -> tuple[int, int]:
    """Records, an alias being one, and characters of values."""
    values = [item["Value"] for item in change["ResourceRecordSet"].get("ResourceRecords") or ()]
    times = 2 if change["Action"] == "UPSERT" else 1
    return times * max(len(values), 1), times * sum(len(value) for value in values)
