"""XML bodies of the rest-xml protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLParser

from controlplane.wire.compiler import Closure, ShapeCompiler
from controlplane.wire.errors import Malformed
from controlplane.wire.limits import Limits
from controlplane.wire.protocols.text import text_parser


def parse_xml(body: bytes, limits: Limits) -> Element:
    """An XML document, UTF-8, without document type, nested no deeper than allowed. Raises Malformed."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed("The XML is not UTF-8") from error
    # No AWS request has a document type, and everything dangerous in XML (entities that explode, files that are
    # fetched) begins with one.
    if "<!DOCTYPE" in text:
        raise Malformed("Document types are not allowed in XML")
    if text.count("<") > 2 * limits.elements:
        raise Malformed("The XML has too many elements")
    # The parser is fed text, so that it does not believe an encoding that the document claims.
    parser = XMLParser()  # noqa: S314 (see above)
    try:
        parser.feed(text)
        root: Element = parser.close()
    except (ParseError, UnicodeError, ValueError) as error:
        raise Malformed("The XML is not well-formed") from error
    if text.count("<") > limits.depth:
        _check_depth(root, limits)
    return root


def _check_depth(root: Element, limits: Limits) -> None:
    level = [root]
    for _ in range(limits.depth):
        level = [child for element in level for child in element]
        if not level:
            return
    raise Malformed("The XML is nested too deeply")


def local_name(tag: str) -> str:
    """A tag or attribute name without its namespace."""
    return tag.rpartition("}")[2]


class XmlInput(ShapeCompiler):
    """Closures take the elements of one name: one, or several for flattened lists and maps."""

    def compile_root(self, shape: Any, name: str | None) -> Closure:
        """A closure from a payload document to a value; with a name, the root must have it."""
        return self._document(self.compile(shape), name)

    def compile_body(self, shape: Any, name: str | None) -> Closure:
        """As `compile_root`, for a body that may not fill the members in headers, path or query string."""
        return self._document(
            self._reader({n: m for n, m in shape.members.items() if "location" not in m.serialization}), name
        )

    def _document(self, read: Closure, name: str | None) -> Closure:

        def decode(body: bytes, limits: Limits) -> Any:
            root = parse_xml(body, limits)
            if name is not None and local_name(root.tag) != name:
                raise Malformed(f"Unexpected element {local_name(root.tag)[:100]}, expected {name}")
            return read([root])

        return decode

    def _structure(self, shape: Any) -> Closure:
        return self._reader(shape.members)

    def _reader(self, shapes: Mapping[str, Any]) -> Closure:
        members: dict[str, tuple[str, Closure]] = {}
        attributes: dict[str, str] = {}
        for name, member in shapes.items():
            if member.serialization.get("xmlAttribute"):
                attributes[member.serialization["name"].rpartition(":")[2]] = name
            else:
                members[self.element_name(name, member)] = (name, self.compile(member))
        for name, member in shapes.items():
            # A name on the member's shape, unlike one on the reference to it, is botocore's name but not Smithy's.
            if name not in attributes.values():
                members.setdefault(name, (name, self.compile(member)))

        def decode(elements: list[Element]) -> dict[str, Any]:
            element = _single(elements)
            groups: dict[str, list[Element]] = {}
            for child in element:
                groups.setdefault(local_name(child.tag), []).append(child)
            found = {}
            for tag, children in groups.items():
                if tag in members:
                    name, read = members[tag]
                    found[name] = read(children)
            if attributes:
                for attribute, value in element.attrib.items():
                    if local_name(attribute) in attributes:
                        found[attributes[local_name(attribute)]] = value
            return found

        return decode

    def _list(self, shape: Any) -> Closure:
        read = self.compile(shape.member)
        if shape.serialization.get("flattened"):
            return lambda elements: [read([element]) for element in elements]
        tag = shape.member.serialization.get("name", "member")

        def decode(elements: list[Element]) -> list[Any]:
            return [read([child]) for child in _single(elements) if local_name(child.tag) == tag]

        return decode

    def _map(self, shape: Any) -> Closure:
        flattened = shape.serialization.get("flattened")
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        read_key, read_value = self.compile(shape.key), self.compile(shape.value)

        def decode(elements: list[Element]) -> dict[str, Any]:
            found = {}
            for entry in elements if flattened else _entries(_single(elements)):
                keys = [child for child in entry if local_name(child.tag) == key_name]
                values = [child for child in entry if local_name(child.tag) == value_name]
                if len(keys) != 1 or len(values) != 1:
                    raise Malformed("Expected one key and one value in an entry of a map")
                found[read_key(keys)] = read_value(values)
            return found

        return decode

    def _scalar(self, shape: Any) -> Closure:
        parse = text_parser(shape, "iso8601")

        def decode(elements: list[Element]) -> Any:
            element = _single(elements)
            if len(element):
                raise Malformed(f"Unexpected element {local_name(element[0].tag)[:100]}")
            try:
                return parse(element.text or "")
            except Malformed as problem:
                raise Malformed(f"{local_name(element.tag)[:100]}: {problem.message}") from None

        return decode

    _string = _character = _integer = _long = _float = _double = _boolean = _blob = _timestamp = _scalar


def _single(elements: list[Element]) -> Element:
    if len(elements) != 1:
        raise Malformed(f"Duplicate element {local_name(elements[0].tag)[:100]}")
    return elements[0]


def _entries(element: Element) -> Iterator[Element]:
    return (child for child in element if local_name(child.tag) == "entry")
