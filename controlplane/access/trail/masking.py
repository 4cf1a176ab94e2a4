"""Parameters and results as the trail keeps them: names in camel case, nothing secret, nothing endless."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"

_LONGEST_TEXT = 16 * 1024
_MOST_ITEMS = 500
_DEPTH = 12
# Beside what the models mark as sensitive: names of members that hold secrets wherever they stand.
_SECRET = re.compile(
    r"password|passphrase|passwd|secret(?!.*(arn|id|name)s?$)|private_?key|plaintext|credential(?!.*(id|arn|name|type)s?$)"
    r"|key_?material$|user_?data$|token_?code|authentication_?code|base32stringseed|qrcodepng|assertion|"
    r"(?<!next)(?<!client)(?<!request)(?<!pagination)(?<!continuation)token$|grant_?tokens|message_?body|^message$|^log_?events$",
    re.IGNORECASE,
)

Mask = Callable[[Any], Any]


def compile_mask(shape: Any, called: Mapping[str, str]) -> Mask:
    """A function from a structure's value to what may be kept of it; None stays None. `called` gives members of
    the structure itself another name."""
    mask = _mask(shape, {}, _DEPTH) if shape is not None else None
    names = {_camel(name): other for name, other in called.items()}

    def masked(value: Any) -> Any:
        if not value or mask is None:
            return None
        kept = mask(value) or None
        return {names.get(name, name): item for name, item in kept.items()} if kept and names else kept

    return masked


def _mask(shape: Any, known: dict[str, Mask], depth: int) -> Mask:
    """Recursive shapes are resolved when they are met."""
    if shape.name in known:
        return known[shape.name]
    if depth == 0 or shape.metadata.get("sensitive") or shape.serialization.get("streaming"):
        return _hidden
    if shape.type_name == "structure":
        members: dict[str, tuple[str, Mask]] = {}
        mask = _structure(members)
        known[shape.name] = mask
        for name, member in shape.members.items():
            if member.type_name != "blob":
                members[name] = (_camel(name), _hidden if _SECRET.search(name) else _mask(member, known, depth - 1))
        return mask
    if shape.type_name == "list":
        each = _mask(shape.member, known, depth - 1)
        return lambda value: [each(item) for item in value[:_MOST_ITEMS]]
    if shape.type_name == "map":
        return _map(_mask(shape.value, known, depth - 1))
    return {"string": _text, "timestamp": _moment, "blob": _hidden}.get(shape.type_name, _same)


def _structure(members: Mapping[str, tuple[str, Mask]]) -> Mask:
    def mask(value: Any) -> Any:
        kept = {}
        for name, item in value.items():
            known = members.get(name)
            if known is not None and item is not None:
                kept[known[0]] = known[1](item)
        return kept

    return mask


def _map(each: Mask) -> Mask:
    def mask(value: Any) -> Any:
        items = list(value.items())[:_MOST_ITEMS]
        return {_text(key): HIDDEN if _SECRET.search(key) else each(item) for key, item in items}

    return mask


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def _hidden(value: Any) -> str:
    return HIDDEN


def _same(value: Any) -> Any:
    return (
        value if isinstance(value, int | float | bool) and (not isinstance(value, int) or abs(value) < 2**53) else None
    )


def _text(value: Any) -> Any:
    text = str(value)
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}... (truncated)"
    return storable(text)


def _moment(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _text(value)


def storable(text: str) -> str:
    """Without what Postgres or JSON cannot hold: NUL and lone surrogates."""
    text = text.replace("\x00", "\ufffd")
    return text if text.isascii() else text.encode(errors="replace").decode()
