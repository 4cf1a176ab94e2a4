"""Compiles shapes to closures, each shape once, so that the hot path never looks at the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from controlplane.wire.service import Service

Closure = Callable[..., Any]


class ShapeCompiler:
    """Base of the codecs' compilers. Subclasses have a method `_structure`, `_list`, `_string`, … for each type.

    A closure is shared by all members of one shape with the same traits. A shape that contains itself is reached
    through a closure that looks the finished one up at call time.
    """

    def __init__(self, service: Service, protocol: str) -> None:
        self.service = service
        self.protocol = protocol
        self._done: dict[str, Closure] = {}
        self._open: set[str] = set()

    def compile(self, shape: Any) -> Closure:
        """The closure of a shape."""
        key = f"{shape.name} {shape.serialization}" if shape.serialization else shape.name
        done = self._done.get(key)
        if done is not None:
            return done
        if key in self._open:
            found = self._done
            return lambda *arguments: found[key](*arguments)
        self._open.add(key)
        made: Closure = getattr(self, f"_{shape.type_name}")(shape)
        self._open.discard(key)
        self._done[key] = made
        return made

    def element_name(self, name: str, shape: Any) -> str:
        """The XML or query name of a structure's member.

        A flattened list without a name of its own is called like its elements, where it is the list's shape that says
        flattened; where the reference says so, as Smithy's models do, it keeps the member's name.
        """
        own: str | None = shape.serialization.get("name")
        if (
            own is None
            and shape.type_name == "list"
            and self.service.description["shapes"][shape.name].get("flattened")
        ):
            own = shape.member.serialization.get("name")
        return own or name


C = TypeVar("C", bound=ShapeCompiler)


def compiler_of(service: Service, protocol: str, kind: type[C]) -> C:
    """The service's compiler of a kind for a protocol, made on first use."""
    name = f"{kind.__name__} {protocol}"
    found = service.compilers.get(name)
    if found is None:
        found = service.compilers[name] = kind(service, protocol)
    return found
