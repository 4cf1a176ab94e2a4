"""One AWS API as botocore describes it, loaded on first use, and the codecs compiled for its operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, cached_property
from typing import Any

from botocore.model import OperationModel, ServiceModel, Shape

from controlplane.wire import models
from controlplane.wire.paths import PathTree
from controlplane.wire.protocols import sqs_query

Codec = Callable[..., Any]


class Operation:
    """One operation of a service: its shapes, its HTTP binding, and its compiled codecs by kind and protocol."""

    def __init__(self, service: Service, model: OperationModel) -> None:
        self.service = service
        self.model = model
        self.name: str = model.name
        self.method: str = model.http.get("method", "POST")
        self.uri: str = model.http.get("requestUri", "/")
        self.status: int = model.http.get("responseCode", 200)
        self.codecs: dict[tuple[str, str], Codec] = {}

    @cached_property
    def input_shape(self) -> Any:
        """The shape of the parameters; None where the operation takes none."""
        return self.model.input_shape

    @cached_property
    def output_shape(self) -> Any:
        """The shape of the result; None where the operation gives none."""
        return self.model.output_shape

    @cached_property
    def error_shapes(self) -> dict[str, Any]:
        """The modelled errors, by shape name and by error code."""
        found: dict[str, Any] = {}
        for shape in self.model.error_shapes:
            found[shape.name] = shape
            found.setdefault(_code_of(shape), shape)
        return found

    @cached_property
    def streams_input(self) -> bool:
        """The payload is a blob that AWS takes as a stream, so its body must not be read into memory."""
        payload = payload_member(self.input_shape)
        if payload is None:
            return False
        return bool(payload.serialization.get("streaming") or payload.serialization.get("eventstream"))

    @cached_property
    def idempotency_token(self) -> str | None:
        """The member that carries the client token, if any."""
        members = self.model.idempotent_members
        return members[0] if members else None

    def codec(self, kind: str, protocol: str, build: Callable[[], Codec]) -> Codec:
        """The codec of a kind ("decode", "validate", "encode") for a protocol, compiled on first use."""
        key = (kind, protocol)
        found = self.codecs.get(key)
        if found is None:
            found = self.codecs[key] = build()
        return found


class Service:
    """One API. `protocols` are those that its clients may speak, botocore's own choice first."""

    def __init__(self, name: str, description: dict[str, Any]) -> None:
        self.name = name
        self.description = description
        self.model = ServiceModel(description, name)
        metadata = self.model.metadata
        first: str = self.model.resolved_protocol
        self.protocols = tuple(dict.fromkeys([first, *metadata.get("protocols", ())]))
        self.signing_name: str = self.model.signing_name
        self.endpoint_prefix: str = self.model.endpoint_prefix
        self.target_prefix: str | None = metadata.get("targetPrefix")
        self.api_version: str = metadata["apiVersion"]
        self.json_version: str = metadata.get("jsonVersion", "1.1")
        self.query_compatible: bool = self.model.is_query_compatible
        self.compilers: dict[str, Any] = {}
        self._operations: dict[tuple[str, bool], Operation] = {}

    @cached_property
    def operations(self) -> frozenset[str]:
        """The names of all operations."""
        return frozenset(self.description["operations"])

    @cached_property
    def xml_namespace(self) -> str | None:
        """The namespace of query answers."""
        return sqs_query.NAMESPACE if self.name == "sqs" else self.model.metadata.get("xmlNamespace")

    def operation(self, name: str, protocol: str | None = None) -> Operation:
        """One operation. Raises KeyError when the API has none of that name.

        SQS's query protocol names things as its model did before it moved to JSON, so it has operations of its own.
        """
        old_names = protocol == "query" and self.name == "sqs"
        found = self._operations.get((name, old_names))
        if found is None:
            if name not in self.operations:
                raise KeyError(name)
            model = self._query_model if old_names else self.model
            found = self._operations[name, old_names] = Operation(self, model.operation_model(name))
        return found

    @cached_property
    def _query_model(self) -> ServiceModel:
        return ServiceModel(sqs_query.with_query_names(self.description), self.name)

    def error_shape(self, code: str) -> Any:
        """The modelled error of a code or shape name; None where the API has none."""
        return self._error_shapes.get(code)

    @cached_property
    def _error_shapes(self) -> dict[str, Any]:
        shapes = self.model.error_shapes
        return {_code_of(shape): shape for shape in shapes} | {shape.name: shape for shape in shapes}

    @cached_property
    def paths(self) -> PathTree:
        """The REST paths of the API."""
        return PathTree(self.description)

    def speak(self, extra_protocols: Iterable[str]) -> None:
        """Accept further protocols than the model names."""
        self.protocols = tuple(dict.fromkeys([*self.protocols, *extra_protocols]))


def _code_of(shape: Any) -> str:
    return str(shape.error_code or shape.name)


def payload_member(shape: Any) -> Shape | None:
    """The member that is the whole HTTP body, if the shape has one."""
    name = shape.serialization.get("payload") if shape is not None else None
    return shape.members[name] if name else None


@cache
def _load(name: str) -> Service:
    return Service(name, models.read(name))


def load(name: str, extra_protocols: Iterable[str] = ()) -> Service:
    """Load a service by botocore's name, once. Raises botocore's UnknownServiceError."""
    service = _load(name)
    if extra_protocols:
        service.speak(extra_protocols)
    return service
