"""Parameters of a request as JSON can hold them, and back: JSON has no times.

A time is kept as `{"$time": …}`. Names that begin with `$` get another one, so that no caller's name is taken for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_MARK = "$"
_TIME = f"{_MARK}time"


def portable(document: Any) -> Any:
    """A document as JSON can hold it."""
    if isinstance(document, datetime):
        return {_TIME: document.astimezone(UTC).isoformat()}
    if isinstance(document, Mapping):
        return {_MARK + name if name.startswith(_MARK) else name: portable(value) for name, value in document.items()}
    if isinstance(document, list):
        return [portable(item) for item in document]
    return document


def native(document: Any) -> Any:
    """The document again."""
    if isinstance(document, Mapping):
        if _TIME in document:
            return datetime.fromisoformat(document[_TIME])
        return {name.removeprefix(_MARK): native(value) for name, value in document.items()}
    if isinstance(document, list):
        return [native(item) for item in document]
    return document
