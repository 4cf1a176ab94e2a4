"""What all Describe operations share: filters with wildcards, ids that must exist, pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from controlplane.core.paging import decode_token, encode_token
from controlplane.services.ec2.errors import InvalidPaginationToken, InvalidParameterCombination, InvalidParameterValue
from controlplane.services.ec2.nouns import Noun

Row = Mapping[str, Any]
Extract = Callable[[Row], Any]
"""Gives a row's value for a filter: a scalar, or a list of which one must match."""

MAX_FILTER_VALUES = 200
LEAST_PAGE, LARGEST_PAGE = 5, 1000


def column(name: str) -> Extract:
    """The extractor of a plain column."""
    return lambda row: row[name]


def matching(rows: Iterable[Row], request: Mapping[str, Any], extractors: Mapping[str, Extract]) -> list[Row]:
    """The rows that pass all filters of a request. A filter passes when one of its values does.

    Raises InvalidParameterValue for a filter that the operation does not have.
    """
    tests = [_test(item, extractors) for item in request.get("Filters") or ()]
    return [row for row in rows if all(test(row) for test in tests)]


def _test(item: Mapping[str, Any], extractors: Mapping[str, Extract]) -> Callable[[Row], bool]:
    name, values = item.get("Name", ""), item.get("Values") or []
    if len(values) > MAX_FILTER_VALUES:
        raise InvalidParameterValue(f"The maximum number of filter values is {MAX_FILTER_VALUES}.")
    extract = _tag_extractor(name) or extractors.get(name)
    if extract is None:
        raise InvalidParameterValue(f"The filter '{name}' is invalid")
    patterns = [_pattern(value) for value in values]

    def passes(row: Row) -> bool:
        found = _texts(extract(row))
        return any(pattern.match(text) for text in found for pattern in patterns)

    return passes


def _tag_extractor(name: str) -> Extract | None:
    if name.startswith("tag:"):
        key = name[4:]
        return lambda row: (row["tags"] or {}).get(key)
    if name == "tag-key":
        return lambda row: list(row["tags"] or ())
    if name == "tag-value":
        return lambda row: list((row["tags"] or {}).values())
    return None


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list | tuple | set):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, datetime):
        return [value.strftime("%Y-%m-%dT%H:%M:%S.000Z")]
    return [str(value)]


@lru_cache(maxsize=2048)
def _pattern(value: str) -> re.Pattern[str]:
    """`*` and `?` are wildcards, a backslash takes their meaning away; brackets mean themselves."""
    parts = re.split(r"(\\.|\*+|\?)", value)
    text = ""
    for part in parts:
        if part.startswith("*"):
            text += ".*"
        elif part == "?":
            text += "."
        elif len(part) == 2 and part.startswith("\\"):
            text += re.escape(part[1])
        else:
            text += re.escape(part)
    return re.compile(f"{text}\\Z", re.DOTALL)


def require(noun: Noun, wanted: Sequence[str] | None, rows: Iterable[Row], key: str = "id") -> None:
    """Refuse ids that were asked for by name and are not there."""
    if wanted:
        noun.check(wanted)
        if lacking := set(wanted) - {row[key] for row in rows}:
            raise noun.missing(lacking)


def page(
    rows: Sequence[Row], request: Mapping[str, Any], *, ids: str | None = None, key: str = "id"
) -> tuple[Sequence[Row], str | None]:
    """One page of rows, in the order given, and the token of the next one.

    `ids` names the parameter that may not stand beside MaxResults, if the operation has one.
    """
    size, token = request.get("MaxResults"), request.get("NextToken")
    if size is not None:
        if ids and request.get(ids):
            member = ids[0].lower() + ids[1:].removesuffix("s") + "sSet"
            raise InvalidParameterCombination(f"The parameter {member} cannot be used with the parameter maxResults")
        if not LEAST_PAGE <= size <= LARGEST_PAGE:
            bound = f"greater than {LEAST_PAGE}" if size < LEAST_PAGE else f"less than {LARGEST_PAGE}"
            raise InvalidParameterValue(
                f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value {bound}."
            )
    start = _start(rows, token, key) if token else 0
    stop = start + (size or LARGEST_PAGE)
    found = rows[start:stop]
    return found, encode_token(found[-1][key]) if stop < len(rows) else None


def _start(rows: Sequence[Row], token: str, key: str) -> int:
    try:
        last = decode_token(token)
    except ValueError as error:
        raise InvalidPaginationToken("Invalid value for 'NextToken'.") from error
    for place, row in enumerate(rows):
        if row[key] == last:
            return place + 1
    raise InvalidPaginationToken("Invalid value for 'NextToken'.")
