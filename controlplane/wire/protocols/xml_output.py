"""Results as XML, by string building: query, ec2 and rest-xml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controlplane.wire.compiler import ShapeCompiler
from controlplane.wire.protocols.json_output import in_headers
from controlplane.wire.protocols.text import text_formatter, timestamp_format
from controlplane.wire.protocols.xml_text import escape, namespace, needs_escape
from controlplane.wire.service import Service
from controlplane.wire.timestamps import iso8601_milliseconds, iso8601_seconds

Append = Callable[[str], None]
Writer = Callable[[Append, Any], None]

# Text of these types never needs escaping.
_SAFE = frozenset({"integer", "long", "float", "double", "boolean", "blob", "timestamp"})
_MILLISECONDS = frozenset({"ec2", "s3", "s3control"})
_CHOSEN = frozenset({"Date"})
"""What clients of S3 choose themselves (until when a version is locked) is told as exactly as it was said."""


class XmlOutput(ShapeCompiler):
    """`compile` gives the writer of a structure's content; `element` that of a named element of any shape."""

    def __init__(self, service: Service, protocol: str) -> None:
        super().__init__(service, protocol)
        self._elements: dict[str, Writer] = {}
        self._with_milliseconds = service.name in _MILLISECONDS
        self._of_s3 = service.name == "s3"

    def element(self, name: str, shape: Any, xmlns: str = "") -> Writer:
        """The writer of `<name>…</name>`; of several such elements for flattened lists and maps."""
        key = f"{name} {xmlns} {shape.name} {shape.serialization}"
        writer = self._elements.get(key)
        if writer is None:
            elements = self._elements
            # Found at call time while this one is being made: the shape may contain itself.
            elements[key] = lambda append, value: elements[key](append, value)
            writer = elements[key] = self._make_element(name, shape, xmlns)
        return writer

    def _make_element(self, name: str, shape: Any, xmlns: str) -> Writer:
        opening = f"<{name}{xmlns or namespace(shape.serialization.get('xmlNamespace'))}"
        if shape.type_name == "structure":
            return self._structure_element(opening, name, shape)
        if shape.type_name == "list":
            return self._list_element(opening, name, shape)
        if shape.type_name == "map":
            return self._map_element(opening, name, shape)
        return self._scalar_element(f"{opening}>", f"</{name}>", shape)

    def _structure_element(self, opening: str, name: str, shape: Any) -> Writer:
        content = self.compile(shape)
        attributes = {
            member_name: member.serialization["name"]
            for member_name, member in shape.members.items()
            if member.serialization.get("xmlAttribute")
        }
        if attributes:
            return _with_attributes(opening, f"</{name}>", attributes, content)
        start, end = f"{opening}>", f"</{name}>"

        def write(append: Append, value: Any) -> None:
            append(start)
            content(append, value)
            append(end)

        return write

    def _list_element(self, opening: str, name: str, shape: Any) -> Writer:
        if shape.serialization.get("flattened"):
            return _repeat(self.element(name, shape.member))
        each = self.element(shape.member.serialization.get("name", "member"), shape.member)
        start, end = f"{opening}>", f"</{name}>"

        def write(append: Append, value: Any) -> None:
            append(start)
            for item in value:
                if item is not None:
                    each(append, item)
            append(end)

        return write

    def _map_element(self, opening: str, name: str, shape: Any) -> Writer:
        write_key = self.element(shape.key.serialization.get("name") or "key", shape.key)
        write_value = self.element(shape.value.serialization.get("name") or "value", shape.value)
        flattened = shape.serialization.get("flattened")
        start, end = ("", "") if flattened else (f"{opening}>", f"</{name}>")
        entry_start, entry_end = (f"{opening}>", f"</{name}>") if flattened else ("<entry>", "</entry>")

        def write(append: Append, value: Mapping[str, Any]) -> None:
            append(start)
            for key, item in value.items():
                if item is not None:
                    append(entry_start)
                    write_key(append, key)
                    write_value(append, item)
                    append(entry_end)
            append(end)

        return write

    def _scalar_element(self, start: str, end: str, shape: Any) -> Writer:
        if shape.type_name == "string":
            return _text_element(start, end)
        if shape.type_name == "boolean":
            true, false = f"{start}true{end}", f"{start}false{end}"
            return lambda append, value: append(true if value else false)
        formatter = text_formatter(shape, "iso8601")
        if (
            shape.type_name == "timestamp"
            and self._with_milliseconds
            and timestamp_format(shape, "iso8601") == "iso8601"
        ):
            formatter = iso8601_seconds if self._of_s3 and shape.name not in _CHOSEN else iso8601_milliseconds
        if shape.type_name in _SAFE:
            return lambda append, value: append(f"{start}{formatter(value)}{end}")
        return lambda append, value: append(f"{start}{escape(formatter(value))}{end}")

    def _structure(self, shape: Any) -> Writer:
        members: dict[str, Writer | None] = {}
        for name, member in shape.members.items():
            if in_headers(member) or member.serialization.get("xmlAttribute"):
                members[name] = None
            else:
                members[name] = self.element(self.element_name(name, member), member)
        title = shape.name

        def write(append: Append, value: Mapping[str, Any]) -> None:
            for name, item in value.items():
                try:
                    writer = members[name]
                except KeyError:
                    raise TypeError(f"{title} has no member {name!r}") from None
                if item is not None and writer is not None:
                    writer(append, item)

        return write


def _text_element(start: str, end: str) -> Writer:
    # Most of most answers is text without anything to escape: the regular expression is asked here, not one call away.
    def write(append: Append, value: str) -> None:
        append(start + (value if needs_escape(value) is None else escape(value)) + end)

    return write


def _repeat(each: Writer) -> Writer:
    def write(append: Append, value: Any) -> None:
        for item in value:
            if item is not None:
                each(append, item)

    return write


def _with_attributes(opening: str, end: str, attributes: Mapping[str, str], content: Writer) -> Writer:
    def write(append: Append, value: Mapping[str, Any]) -> None:
        append(opening)
        for member, attribute in attributes.items():
            if value.get(member) is not None:
                append(f' {attribute}="{escape(str(value[member]))}"')
        append(">")
        content(append, value)
        append(end)

    return write
