"""How AWS words its refusals: codes and messages by family of services.

Sources: the common errors of the query APIs, EC2's, S3's and Route 53's error pages, and the wording of the Coral
framework that answers for most JSON APIs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from controlplane.core.errors import AwsError
from controlplane.wire.errors import Malformed
from controlplane.wire.service import Service

_QUERY = ("query", "ec2")
_LONGEST = 1024
_BAD_XML = "The XML you provided was not well-formed or did not validate against our published schema"


NO_OPERATION = "UnknownOperationException"
HIDDEN = object()
"""Stands for a value that the model calls sensitive: it is not repeated."""
UNQUOTED = frozenset(
    {"DeleteServiceSpecificCredential", "ResetServiceSpecificCredential", "UpdateServiceSpecificCredential"}
)
"""Operations (of IAM) that were recorded to repeat no value, whatever the model calls it."""


class Rule(Enum):
    """Which constraint of the model a value breaks."""

    REQUIRED = "required"
    LENGTH = "length"
    RANGE = "range"
    PATTERN = "pattern"
    ENUM = "enum"
    UNION = "union"


class MapKey(str):
    """A key of a map in a path, which is told as it is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken constraint: the path of member names and list positions, the value, and what it must satisfy."""

    rule: Rule
    path: tuple[str, ...]
    value: Any
    constraint: str
    location: str | None = None
    """Where the top-level member stands in a REST request: `header`, `querystring`, `uri`, or None for the body."""
    wire_name: str = ""

    def at(self, location: str, wire_name: str) -> Violation:
        """The same violation, of a member bound to a place outside the body."""
        return replace(self, location=location, wire_name=wire_name)


def short(text: str) -> str:
    """Text for a message, cut where it is long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def unknown_operation(protocol: str, name: str | None, service: Service | None = None) -> AwsError:
    """The API has no operation of that name."""
    if protocol in _QUERY:
        if protocol == "ec2":
            message = f"The action {short(name or '')} is not valid for this web service."
        elif service is not None and service.name == "sqs":
            message = f"The action {short(name or '')} is not valid for this endpoint."
        else:
            message = (
                f"Could not find operation {short(name or '')} for version {service.api_version if service else ''}"
            )
        return AwsError(message, code="InvalidAction")
    return AwsError(
        f"The operation {short(name or '')} is not known.",
        code=NO_OPERATION,
        status=400 if protocol == "json" else 404,
    )


def missing_action() -> AwsError:
    """A query request without `Action`."""
    return AwsError("The request is missing an action or a required parameter.", code="MissingAction")


def unknown_service(name: str) -> AwsError:
    """A credential scope that names no AWS service."""
    return AwsError(f"The service {short(name)!r} is not known.", code=NO_OPERATION, status=404)


def bad_uri(service: Service, protocol: str, problem: str) -> AwsError:
    """A path or query string that cannot be decoded."""
    if service.name == "s3":
        return AwsError("Couldn't parse the specified URI.", code="InvalidURI")
    if protocol in _QUERY:
        return AwsError(f"The query string contains a syntax error: {problem}", code="MalformedQueryString", status=404)
    return AwsError(f"The URI cannot be parsed: {problem}", code="SerializationException")


def no_such_path(service: Service, protocol: str, method: str, segments: Sequence[str]) -> AwsError:
    """A method and path that no operation of a REST API has."""
    if service.name == "s3":
        kind = "SERVICE" if segments == [""] else "BUCKET" if len(segments) == 1 else "OBJECT"
        return AwsError(
            "The specified method is not allowed against this resource.",
            code="MethodNotAllowed",
            status=405,
            members={"Method": short(method), "ResourceType": kind},
        )
    if protocol in ("rest-json", "rest-xml"):
        return AwsError("", code=NO_OPERATION, status=404)
    return AwsError("", code=NO_OPERATION)


def no_operation() -> AwsError:
    """A request that names no operation in any protocol."""
    return AwsError("", code=NO_OPERATION, status=404)


def malformed(service: Service, protocol: str, problem: Malformed) -> AwsError:
    """A request that cannot be read."""
    if protocol == "rest-xml":
        return _malformed_rest_xml(service, problem)
    if protocol == "ec2":
        if problem.value is not None:
            return AwsError(
                f"Value ({short(problem.value)}) for parameter {problem.name} is invalid. {problem.message}.",
                code="InvalidParameterValue",
            )
        return AwsError(f"{problem.message}.", code="InvalidParameterValue" if problem.name else "MalformedQueryString")
    if protocol == "query":
        return AwsError(problem.message, code="MalformedInput")
    return AwsError(problem.message, code="SerializationException")


def _malformed_rest_xml(service: Service, problem: Malformed) -> AwsError:
    if service.name in ("s3", "s3control"):
        if problem.value is not None:
            members = {"ArgumentName": problem.name, "ArgumentValue": short(problem.value)}
            return AwsError(short(problem.message), code="InvalidArgument", members=members)
        return AwsError(_BAD_XML, code="MalformedXML")
    return AwsError(problem.message, code="MalformedInput")


def missing_body() -> AwsError:
    """S3 was sent no body where it needs one."""
    return AwsError("Request Body is empty", code="MissingRequestBodyError")


def invalid(service: Service, protocol: str, violations: Sequence[Violation]) -> AwsError:
    """Values that break the model's constraints."""
    if service.name == "s3":
        return _invalid_s3(violations[0])
    if protocol == "ec2" or service.name == "sqs":
        return _invalid_ec2(service, violations[0])
    code = {"query": "ValidationError", "rest-xml": "InvalidInput"}.get(protocol, "ValidationException")
    if service.name == "logs":
        code = "InvalidParameterException"
    count = len(violations)
    noun = "validation error" if count == 1 else "validation errors"
    return AwsError(
        f"{count} {noun} detected: {'; '.join(_coral(violation) for violation in violations)}",
        code=code,
        members={"reason": "FIELD_VALIDATION_FAILED"} if _has_reason(service) else None,
    )


def _has_reason(service: Service) -> bool:
    shape = service.error_shape("ValidationException")
    return shape is not None and "reason" in getattr(shape, "members", ())


def _coral(violation: Violation) -> str:
    value = "null " if violation.rule is Rule.REQUIRED else f"'{render(violation.value)}' "
    constraint = violation.constraint
    if violation.value is HIDDEN:
        value = ""
        if violation.rule is Rule.ENUM:
            constraint = constraint.partition(":")[0]
    return f"Value {value}at '{_path(violation.path)}' failed to satisfy constraint: {constraint}"


def _path(path: Sequence[str]) -> str:
    """Coral's spelling: lower camel case, positions from 1, `member` after each of them and after keys of maps."""
    return ".".join(
        f"{short(part)}.member" if part.isdigit() or isinstance(part, MapKey) else short(part[:1].lower() + part[1:])
        for part in path
    )


def render(value: Any) -> str:
    """A value the way Coral, a Java program, prints it in a message."""
    if value is HIDDEN:
        return "***Sensitive Data Redacted***"
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, list):
        text = f"[{', '.join(render(item) for item in value[:20])}]"
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{key}={render(item)}" for key, item in list(value.items())[:20]) + "}"
    elif isinstance(value, bytes):
        text = f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    else:
        text = str(value)
    return short(text)


def _invalid_ec2(service: Service, violation: Violation) -> AwsError:
    name = ".".join(violation.path)
    if violation.rule is Rule.REQUIRED:
        stop = "." if service.name == "sqs" else ""
        return AwsError(f"The request must contain the parameter {name}{stop}", code="MissingParameter")
    if violation.rule is Rule.RANGE:
        bound = violation.constraint.rsplit(" ", 1)[-1]
        side = "greater" if "greater" in violation.constraint else "less"
        message = f"Value ( {violation.value} ) for parameter {name} is invalid. Expecting a value {side} than {bound}."
        return AwsError(message, code="InvalidParameterValue")
    message = f"Value ({render(violation.value)}) for parameter {name} is invalid. {violation.constraint}"
    return AwsError(message, code="InvalidParameterValue")


def _invalid_s3(violation: Violation) -> AwsError:
    if violation.location is None:
        if violation.rule is Rule.REQUIRED and len(violation.path) == 1:
            return missing_body()
        code = "MalformedACLError" if violation.path[0] == "AccessControlPolicy" else "MalformedXML"
        return AwsError(_BAD_XML, code=code)
    value = "" if violation.rule is Rule.REQUIRED else render(violation.value)
    members = {"ArgumentName": violation.wire_name, "ArgumentValue": value}
    if violation.rule is Rule.REQUIRED:
        return AwsError(f"Missing required parameter: {violation.wire_name}", code="InvalidArgument", members=members)
    return AwsError(f"Invalid value for {violation.wire_name}", code="InvalidArgument", members=members)
