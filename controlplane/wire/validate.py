"""Checks parameters against the model: required members, lengths, ranges, patterns, enums and unions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from controlplane.wire import wording
from controlplane.wire.compiler import ShapeCompiler, compiler_of
from controlplane.wire.patterns import compiled
from controlplane.wire.protocols.query_input import ec2_name
from controlplane.wire.route import Route
from controlplane.wire.service import Operation, Service
from controlplane.wire.wording import MapKey, Rule, Violation

Path = tuple[str, ...]
Found = list[Violation]
Check = Callable[[Any, Path, Found], None]
Test = Callable[[Any], bool]
# One constraint of a scalar or collection: the test a value must pass, and what is said when it does not.
Constraint = tuple[Rule, Test, str]

_MOST = 20
# Longer texts break the length that stands beside nearly every pattern, and would only cost time.
_LONGEST_MATCHED = 1024 * 1024
_ALL = frozenset(Rule)
# What AWS does not check by the model but in each operation, with words of its own.
_OPEN = {
    "s3": frozenset(
        {"BucketAccelerateStatus", "BucketLocationConstraint", "BucketLogsPermission", "FilterRuleName", "Protocol"}
    )
}
"""Enums that the operations check: which regions there are is up to each cloud, some values AWS takes beyond its model,
and some it refuses in other words."""
_DISPENSABLE = frozenset({"Rules", "TagSet"})
"""Lists that S3 misses, if at all, only once it has found the bucket; its model requires them."""
_CHECKED = {
    "ec2": frozenset({Rule.REQUIRED, Rule.RANGE}),
    "s3": frozenset({Rule.REQUIRED, Rule.ENUM}),
    "sqs": frozenset({Rule.REQUIRED}),
}


def validate(route: Route, parameters: Mapping[str, Any]) -> None:
    """Raises AwsError, in the words of the service, when parameters break constraints of the model."""
    operation = route.operation
    assert operation is not None
    check = operation.codec("validate", route.protocol, lambda: _root(operation, route.protocol))
    found: Found = []
    check(parameters, (), found)
    if found and operation.service.name == "s3":
        found = [item for item in found if not _is_left_open(item)]
    if found:
        if operation.name in wording.UNQUOTED:
            found = [item if item.rule is Rule.REQUIRED else replace(item, value=wording.HIDDEN) for item in found]
        raise wording.invalid(operation.service, route.protocol, found[:_MOST])


def _is_left_open(violation: Violation) -> bool:
    if violation.rule is Rule.ENUM:
        return violation.location is not None
    return violation.rule is Rule.REQUIRED and violation.path[-1] in _DISPENSABLE


def _root(operation: Operation, protocol: str) -> Check:
    shape = operation.input_shape
    check = compiler_of(operation.service, protocol, Validator).check(shape) if shape is not None else None
    if check is None:
        return _accept
    bound = {
        name: (member.serialization["location"], member.serialization.get("name", name).lower())
        for name, member in shape.members.items()
        if "location" in member.serialization
    }

    def check_root(value: Any, path: Path, found: Found) -> None:
        check(value, path, found)
        for position, violation in enumerate(found):
            if violation.path and violation.path[0] in bound:
                location, wire_name = bound[violation.path[0]]
                found[position] = violation.at(location, wire_name)

    return check_root if bound else check


def _accept(value: Any, path: Path, found: Found) -> None:
    return None


class Validator(ShapeCompiler):
    """`check` gives a closure, or None for shapes without a constraint anywhere in them, which cost nothing."""

    def __init__(self, service: Service, protocol: str) -> None:
        super().__init__(service, protocol)
        self._rules = _CHECKED.get(service.name, _ALL)
        self._left_out: frozenset[str] = _OPEN.get(service.name, frozenset())

    def check(self, shape: Any) -> Check | None:
        """The check of a shape."""
        found = self.compile(shape)
        return None if found is _accept else found

    def member_label(self, name: str, shape: Any) -> str:
        """What messages call a member: EC2 says what stands in the request, the others the member's name."""
        return ec2_name(name, shape) if self.protocol == "ec2" else name

    def _structure(self, shape: Any) -> Check:
        if shape.is_document_type:
            return _accept
        required = [(name, self.member_label(name, shape.members[name])) for name in shape.required_members]
        members = [
            (name, self.member_label(name, member), self.check(member)) for name, member in shape.members.items()
        ]
        checks = [(name, label, check) for name, label, check in members if check is not None]
        union = shape.is_tagged_union and Rule.UNION in self._rules
        if not required and not checks and not union:
            return _accept

        def check_structure(value: Any, path: Path, found: Found) -> None:
            for name, label in required:
                if value.get(name) is None:
                    found.append(Violation(Rule.REQUIRED, (*path, label), None, "Member must not be null"))
            for name, label, check in checks:
                item = value.get(name)
                if item is not None:
                    check(item, (*path, label), found)
            if union and len(value) != 1:
                found.append(Violation(Rule.UNION, path, value, "Member must have exactly one member set"))

        return check_structure

    def _list(self, shape: Any) -> Check:
        own = self._constraints(shape)
        each = self.check(shape.member)
        elements = self._constraints(shape.member) if shape.member.type_name not in _CONTAINERS else []
        if elements:
            own = [*own, _each_of(elements)]
            each = None
        if not own and each is None:
            return _accept

        def check_list(value: Any, path: Path, found: Found) -> None:
            _apply(own, value, path, found)
            if each is not None and len(found) < _MOST:
                for position, item in enumerate(value, 1):
                    if item is not None:
                        each(item, (*path, str(position)), found)

        return check_list

    def _map(self, shape: Any) -> Check:
        own = self._constraints(shape)
        if keys := self._constraints(shape.key):
            rule, test, text = _each_of(keys)
            own = [*own, (rule, test, text.replace("Member must satisfy", "Map keys must satisfy", 1))]
        each = self.check(shape.value)
        if shape.value.type_name not in _CONTAINERS and (values := self._constraints(shape.value)):
            rule, test, text = _each_of(values)
            text = text.replace("Member must satisfy", "Map value must satisfy", 1)
            own, each = [*own, (rule, lambda value: test(value.values()), text)], None
        if not own and each is None:
            return _accept

        def check_map(value: Any, path: Path, found: Found) -> None:
            _apply(own, value, path, found)
            if each is not None and len(found) < _MOST:
                for key, item in value.items():
                    if item is not None:
                        each(item, (*path, MapKey(key)), found)

        return check_map

    def _scalar(self, shape: Any) -> Check:
        constraints = self._constraints(shape)
        if not constraints:
            return _accept
        if not shape.metadata.get("sensitive"):
            return lambda value, path, found: _apply(constraints, value, path, found)

        def check_secret(value: Any, path: Path, found: Found) -> None:
            told: Found = []
            _apply(constraints, value, path, told)
            found.extend(replace(violation, value=wording.HIDDEN) for violation in told)

        return check_secret

    _string = _character = _integer = _long = _float = _double = _blob = _scalar

    def _boolean(self, shape: Any) -> Check:
        return _accept

    _timestamp = _boolean

    def _constraints(self, shape: Any) -> list[Constraint]:
        """The constraints of a shape itself, in the order in which Coral names them."""
        if shape.serialization.get("streaming") or shape.serialization.get("eventstream"):
            return []
        kind = shape.type_name
        if kind in ("integer", "long", "float", "double"):
            found = _range(shape.metadata)
        elif kind in ("string", "character"):
            listed = [] if shape.name in self._left_out else _enum(shape.metadata)
            found = [*_length(shape.metadata), *_pattern(shape.metadata), *listed]
        elif kind in ("blob", "list", "map"):
            found = _length(shape.metadata)
        else:
            found = []
        return [constraint for constraint in found if constraint[0] in self._rules]


_CONTAINERS = frozenset({"structure", "list", "map"})


def _apply(constraints: list[Constraint], value: Any, path: Path, found: Found) -> None:
    for rule, test, text in constraints:
        if not test(value):
            found.append(Violation(rule, path, value, text))


def _each_of(constraints: list[Constraint]) -> Constraint:
    """The constraints of elements as one of their collection, which Coral names as a whole."""
    tests = [test for _, test, _ in constraints]
    text = f"Member must satisfy constraint: [{', '.join(text for _, _, text in constraints)}]"

    def test_all(value: Any) -> bool:
        return all(test(item) for item in value if item is not None for test in tests)

    return constraints[0][0], test_all, text


def _length(metadata: Mapping[str, Any]) -> list[Constraint]:
    least, most = metadata.get("min"), metadata.get("max")
    found: list[Constraint] = []
    if most is not None:
        text = f"Member must have length less than or equal to {most}"
        found.append((Rule.LENGTH, lambda value: len(value) <= most, text))
    if least:
        text = f"Member must have length greater than or equal to {least}"
        found.append((Rule.LENGTH, lambda value: len(value) >= least, text))
    return found


def _range(metadata: Mapping[str, Any]) -> list[Constraint]:
    least, most = metadata.get("min"), metadata.get("max")
    found: list[Constraint] = []
    if most is not None:
        text = f"Member must have value less than or equal to {most}"
        found.append((Rule.RANGE, lambda value: not value > most, text))
    if least is not None:
        text = f"Member must have value greater than or equal to {least}"
        found.append((Rule.RANGE, lambda value: not value < least, text))
    return found


def _pattern(metadata: Mapping[str, Any]) -> list[Constraint]:
    pattern = metadata.get("pattern")
    if not pattern:
        return []
    text = f"Member must satisfy regular expression pattern: {pattern}"

    def test(value: str) -> bool:
        regexp = compiled(pattern) if len(value) <= _LONGEST_MATCHED else None
        return regexp is None or regexp.fullmatch(value) is not None

    return [(Rule.PATTERN, test, text)]


def _enum(metadata: Mapping[str, Any]) -> list[Constraint]:
    values = metadata.get("enum")
    if not values:
        return []
    allowed = frozenset(values)
    return [(Rule.ENUM, allowed.__contains__, f"Member must satisfy enum value set: [{', '.join(values)}]")]
