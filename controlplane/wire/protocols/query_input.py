"""Parameters of the query and ec2 protocols: flat names such as `Filter.1.Value.2` become nested values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.wire.compiler import Closure, ShapeCompiler
from controlplane.wire.errors import Malformed
from controlplane.wire.limits import Limits
from controlplane.wire.protocols.text import TextParser, text_parser

# A node is the text of a parameter, or the nodes below it by name.
Node = str | dict[str, Any]
_LONGEST_POSITION = 9


def nest(form: Mapping[str, str], limits: Limits) -> dict[str, Node]:
    """Make a tree of dotted names. Raises Malformed when a name is both a value and a prefix, or too deep."""
    root: dict[str, Node] = {}
    if sum(name.count(".") for name in form) > limits.elements:
        raise Malformed("The request has too many parameters")
    for name, value in form.items():
        if "." not in name:
            if root.setdefault(name, value) is not value:
                raise _conflict(name)
            continue
        parts = name.split(".")
        if len(parts) > limits.name_parts:
            raise Malformed("The parameter name is nested too deeply", name=name[:100])
        node = root
        for part in parts[:-1]:
            below = node.setdefault(part, {})
            if not isinstance(below, dict):
                raise _conflict(name)
            node = below
        if node.setdefault(parts[-1], value) is not value:
            raise _conflict(name)
    return root


def _conflict(name: str) -> Malformed:
    return Malformed(f"The parameter {name[:100]} is given both as a value and as a structure", name=name[:100])


class QueryInput(ShapeCompiler):
    """Closures take a node and the name that led to it, which stands in messages."""

    def compile_root(self, shape: Any) -> Closure:
        """A closure from a form to parameters."""
        decode = self.compile(shape)

        def decode_form(form: Mapping[str, str], limits: Limits) -> Any:
            return decode(nest(form, limits), "")

        return decode_form

    def member_names(self, name: str, shape: Any) -> tuple[str, ...]:
        """What a member of a structure may be called on the wire."""
        names = [self.element_name(name, shape)]
        if shape.type_name == "list" and shape.serialization.get("flattened"):
            # botocore names flattened lists for their elements even where Smithy does not.
            names.append(shape.member.serialization.get("name", names[0]))
        return tuple(dict.fromkeys(names))

    def list_names(self, shape: Any) -> tuple[str, ...]:
        """The names between a list and its positions; empty where positions follow directly."""
        if shape.serialization.get("flattened"):
            return ()
        # RDS and its relatives take the name in the model and the generic one alike.
        return tuple(dict.fromkeys([shape.member.serialization.get("name", "member"), "member"]))

    def _structure(self, shape: Any) -> Closure:
        members = [
            (wire_name, name, self.compile(member))
            for name, member in shape.members.items()
            for wire_name in self.member_names(name, member)
        ]
        # A flattened list without elements cannot be told from one that was left out.
        empty = [
            name
            for name in shape.required_members
            if shape.members[name].type_name == "list" and shape.members[name].serialization.get("flattened")
        ]

        def decode(node: Node, at: str) -> dict[str, Any]:
            if isinstance(node, str):
                if node:
                    raise Malformed("Expecting a structure", name=at, value=node)
                return {}
            found = {
                name: read(node[wire_name], f"{at}.{wire_name}" if at else wire_name)
                for wire_name, name, read in members
                if wire_name in node
            }
            for name in empty:
                found.setdefault(name, [])
            return found

        return decode

    def _list(self, shape: Any) -> Closure:
        names = self.list_names(shape)
        read = self.compile(shape.member)

        def decode(node: Node, at: str) -> list[Any]:
            for name in names:
                if isinstance(node, dict) and name in node:
                    node, at = node[name], f"{at}.{name}"
                    break
            if isinstance(node, str):
                if node:
                    raise Malformed("Expecting a list", name=at, value=node)
                return []
            return [read(node[key], f"{at}.{key}") for key in positions(node, at)]

        return decode

    def _map(self, shape: Any) -> Closure:
        flattened = shape.serialization.get("flattened")
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        read_key, read_value = self.compile(shape.key), self.compile(shape.value)

        def decode(node: Node, at: str) -> dict[str, Any]:
            if not flattened and isinstance(node, dict) and "entry" in node:
                node, at = node["entry"], f"{at}.entry"
            if isinstance(node, str):
                if node:
                    raise Malformed("Expecting a map", name=at, value=node)
                return {}
            found = {}
            for position in positions(node, at):
                entry, where = node[position], f"{at}.{position}"
                if not isinstance(entry, dict) or key_name not in entry:
                    raise Malformed("Expecting a key and a value", name=where)
                key = read_key(entry[key_name], f"{where}.{key_name}")
                found[key] = read_value(entry.get(value_name, ""), f"{where}.{value_name}")
            return found

        return decode

    def _scalar(self, shape: Any) -> Closure:
        return _reader(text_parser(shape, "iso8601"))

    _string = _character = _integer = _long = _float = _double = _boolean = _blob = _timestamp = _scalar


def ec2_name(name: str, shape: Any) -> str:
    """What EC2 calls a member of a structure in its requests."""
    found: str = shape.serialization.get("queryName") or shape.serialization.get("name", name)
    return found[:1].upper() + found[1:]


class Ec2Input(QueryInput):
    """EC2's dialect: lists are always flat, and names start with a capital."""

    def member_names(self, name: str, shape: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys([ec2_name(name, shape), shape.serialization.get("name", name)]))

    def list_names(self, shape: Any) -> tuple[str, ...]:
        return ()


def positions(node: Mapping[str, Any], at: str) -> list[str]:
    """The positions below a list, in order: as many as were sent, however large they are. Raises Malformed."""
    for key in node:
        if not (key.isascii() and key.isdigit() and len(key) <= _LONGEST_POSITION):
            raise Malformed("Expecting a position in a list", name=at, value=key[:100])
    return sorted(node, key=int)


def _reader(parse: TextParser) -> Closure:
    def decode(node: Node, at: str) -> Any:
        if not isinstance(node, str):
            raise Malformed("Expecting a single value", name=at)
        try:
            return parse(node)
        except Malformed as problem:
            raise Malformed(problem.message, name=at, value=node) from None

    return decode
