"""Requests that no sane client sends, made deterministically from the models: the same for the same seed.

`requests` yields them as HttpRequest objects, for the codecs alone and for a live gateway alike; `decode_all` drives
the codecs with them.
"""

from __future__ import annotations

import gzip
import re
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import cbor2
import orjson

from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest
from controlplane.wire.chunked import SIGNED, UNSIGNED_TRAILER
from controlplane.wire.decode import decode
from controlplane.wire.encode import encode_error
from controlplane.wire.index import Index
from controlplane.wire.limits import DEFAULT_LIMITS
from controlplane.wire.route import Route, identify
from tests.wire import clients
from tests.wire.garbage import HEADERS, METHODS, PATHS, QUERIES, RAW_BODIES, TEXTS, VALUES
from tests.wire.generate import Generator, Unmakeable

SERVICES = [
    ("ec2", "ec2", 40),
    ("iam", "query", 40),
    ("sts", "query", 8),
    ("sns", "query", 20),
    ("sqs", "json", 20),
    ("sqs", "query", 20),
    ("rds", "query", 20),
    ("cloudwatch", "smithy-rpc-v2-cbor", 20),
    ("cloudwatch", "query", 10),
    ("shield", "smithy-rpc-v2-cbor", 15),
    ("dynamodb", "json", 30),
    ("kms", "json", 20),
    ("kinesis", "json", 15),
    ("ecs", "json", 20),
    ("lambda", "rest-json", 30),
    ("apigateway", "rest-json", 25),
    ("glacier", "rest-json", 15),
    ("eks", "rest-json", 15),
    ("s3", "rest-xml", 60),
    ("s3control", "rest-xml", 15),
    ("route53", "rest-xml", 25),
    ("cloudfront", "rest-xml", 25),
]
SLOWEST = 1.0
"""Seconds of the processor that refusing one request may take."""


@dataclass(slots=True)
class Outcome:
    """How a run ended: counts of decoded requests and of refusals by code, the failures, and the slowest request."""

    decoded: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    @property
    def total(self) -> int:
        return self.decoded + sum(self.refused.values()) + len(self.failures)


def requests(index: Index, seed: int = 0) -> Iterator[tuple[str, HttpRequest]]:
    """All malformed requests, each with a name that says how it was made. More than 20,000."""
    for name, protocol, count in SERVICES:
        for what, base in _bases(index, name, protocol, count, seed):
            random = Random(f"{what} {seed}")
            yield what, base
            for mutation in _MUTATIONS:
                for number, request in enumerate(mutation(base, random, protocol)):
                    yield f"{what} {mutation.__name__[1:]} {number}", request
    yield from _unsigned()
    yield from _oversize(index)
    yield from _chunked()


def _bases(index: Index, name: str, protocol: str, count: int, seed: int) -> Iterator[tuple[str, HttpRequest]]:
    """Valid requests of some operations of a service, those with the largest inputs first."""
    service = index.load(name)
    shapes = {o: service.operation(o, protocol).input_shape for o in service.operations}
    ranked = sorted(shapes, key=lambda o: (-len(shapes[o].members) if shapes[o] is not None else 0, o))
    chosen = ranked[: count // 2] + Random(f"{name} {seed}").sample(
        ranked[count // 2 :], min(count, len(ranked)) - count // 2
    )
    for operation_name in chosen:
        operation = service.operation(operation_name, protocol)
        if operation.model.has_event_stream_input:
            continue
        shape = operation.input_shape
        try:
            made = Generator(Random(f"{operation_name} {seed}"), protocol).value(shape) if shape is not None else {}
        except Unmakeable:
            continue
        yield f"{name} {protocol} {operation_name}", clients.serialize(operation, made, protocol, service.signing_name)


def _with(request: HttpRequest, **changes: Any) -> HttpRequest:
    return replace(request, **{"headers": dict(request.headers), **changes})


def _truncated(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    for _ in range(4):
        if request.body:
            yield _with(request, body=request.body[: random.randrange(len(request.body))])


def _flipped(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    for _ in range(4):
        if request.body:
            body = bytearray(request.body)
            for _ in range(random.randint(1, 4)):
                body[random.randrange(len(body))] = random.randrange(256)
            yield _with(request, body=bytes(body))


def _spliced(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    for _ in range(3):
        at = random.randint(0, len(request.body))
        junk = random.choice((b"\xff\xfe", b"\x00", b"<", b"{", b"&", b"%", b"\xc3\x28", b"]]>", b"\x9f"))
        yield _with(request, body=request.body[:at] + junk + request.body[at:])


def _other_bodies(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    for body in random.sample(RAW_BODIES, 12):
        yield _with(request, body=body)


def _gzipped(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    headers = {**request.headers, "content-encoding": "gzip"}
    packed = gzip.compress(request.body or b"x", mtime=0)
    yield _with(request, headers=headers, body=packed[: random.randrange(len(packed))])
    yield _with(request, headers=headers, body=packed + b"junk")
    yield _with(request, headers=headers, body=b"\x1f\x8b" + random.randbytes(20))


def _wrong_values(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    """The body with one value, somewhere in it, replaced by one of another type."""
    loads, dumps = _DOCUMENTS.get(protocol, (None, None))
    if loads is None or dumps is None or not request.body:
        return
    try:
        document = loads(request.body)
    except (ValueError, cbor2.CBORDecodeError):
        return
    for _ in range(10):
        changed = _replaced(document, random, random.choice(VALUES))
        try:
            yield _with(request, body=dumps(changed))
        except (TypeError, ValueError, OverflowError):
            continue


def _replaced(value: Any, random: Random, new: Any) -> Any:
    if isinstance(value, dict) and value and random.random() < 0.85:
        key = random.choice(list(value))
        return {**value, key: _replaced(value[key], random, new)}
    if isinstance(value, list) and value and random.random() < 0.85:
        position = random.randrange(len(value))
        return [*value[:position], _replaced(value[position], random, new), *value[position + 1 :]]
    return new


_DOCUMENTS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "json": (orjson.loads, orjson.dumps),
    "rest-json": (orjson.loads, orjson.dumps),
    "smithy-rpc-v2-cbor": (cbor2.loads, cbor2.dumps),
}


def _wrong_texts(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    """The text of one XML element, or the value of one form parameter, replaced."""
    for _ in range(6):
        new = random.choice(TEXTS).encode("utf-8", "replace")
        if protocol == "rest-xml" and b"</" in request.body:
            ends = [i for i in range(len(request.body)) if request.body.startswith(b"</", i)]
            end = random.choice(ends)
            start = request.body.rfind(b">", 0, end) + 1
            yield _with(request, body=request.body[:start] + new + request.body[end:])
        elif protocol in ("query", "ec2") and b"&" in request.body:
            pairs = request.body.split(b"&")
            position = random.randrange(len(pairs))
            pairs[position] = pairs[position].partition(b"=")[0] + b"=" + new
            yield _with(request, body=b"&".join(pairs))


def _odd_names(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    """Form parameters with strange positions and prefixes."""
    if protocol not in ("query", "ec2"):
        return
    names = [pair.partition(b"=")[0] for pair in request.body.split(b"&")] or [b"Foo"]
    suffixes = (
        b".999999999", b".99999999999999999999", b".-1", b".0", b".01", b".1.1.1.1", b".", b"..1", b".%D9%A1", b"[0]",
        b".member.1.member.1", b".entry.1.key", b".1.Name", b".member", b".1" * 500, b".x" * 2000, b"%00", b".1e3",
        b".member.x",
    )  # fmt: skip
    for suffix in random.sample(suffixes, 8):
        name = random.choice(names).split(b".")[0]
        yield _with(request, body=request.body + b"&" + name + suffix + b"=x")


def _other_headers(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    for name, value in random.sample(HEADERS, 10):
        yield _with(request, headers={**request.headers, name: value})


def _fewer_headers(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    for name in ("authorization", "content-type", "x-amz-target", "smithy-protocol", "host"):
        if name in request.headers:
            yield _with(request, headers={key: value for key, value in request.headers.items() if key != name})


def _garbled_headers(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    names = [name for name in request.headers if name not in ("authorization", "host")]
    for _ in range(3):
        if names:
            text = random.choice(TEXTS).encode("utf-8").decode("latin-1")
            yield _with(request, headers={**request.headers, random.choice(names): text})


def _other_paths(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    for path in random.sample(PATHS, 4):
        yield _with(request, raw_path=path)
    for junk in (b"%", b"%ff", b"/x", b"%00"):
        yield _with(request, raw_path=request.raw_path + junk)


def _other_queries(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    for query in random.sample(QUERIES, 5):
        joined = request.query_string + b"&" + query if random.random() < 0.5 else query
        yield _with(request, query_string=joined)


def _other_methods(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    for method in random.sample(METHODS, 3):
        yield _with(request, method=method)


def _unknown_operation(request: HttpRequest, random: Random, protocol: str) -> Iterator[HttpRequest]:
    name = random.choice(("Nope", "DescribeEverything", "x" * 3000, "", "\xe9"))
    if "x-amz-target" in request.headers:
        prefix = request.headers["x-amz-target"].rpartition(".")[0]
        yield _with(request, headers={**request.headers, "x-amz-target": f"{prefix}.{name}"})
    if protocol in ("query", "ec2"):
        yield _with(request, body=b"Action=" + name.encode() + b"&" + request.body.partition(b"&")[2])
    if protocol == "smithy-rpc-v2-cbor":
        yield _with(request, raw_path=request.raw_path.rpartition(b"/")[0] + b"/" + name.encode())


_MUTATIONS: tuple[Callable[[HttpRequest, Random, str], Iterable[HttpRequest]], ...] = (
    _truncated,
    _flipped,
    _spliced,
    _other_bodies,
    _gzipped,
    _wrong_values,
    _wrong_texts,
    _odd_names,
    _other_headers,
    _fewer_headers,
    _garbled_headers,
    _other_paths,
    _other_queries,
    _other_methods,
    _unknown_operation,
)


def _unsigned() -> Iterator[tuple[str, HttpRequest]]:
    """Garbage that names no service."""
    for number, path in enumerate(PATHS):
        for method in METHODS:
            yield f"unsigned path {number} {method[:9]}", HttpRequest(method, path, b"", {"host": "localhost"})
    for number, body in enumerate(RAW_BODIES):
        for kind in ("application/x-www-form-urlencoded", "application/json", "application/cbor", "text/xml", ""):
            headers = {"host": "localhost", "content-type": kind}
            yield f"unsigned body {number} {kind}", HttpRequest("POST", b"/", b"", headers, body)
    for number, query in enumerate(QUERIES):
        yield f"unsigned query {number}", HttpRequest("GET", b"/", query, {"host": "localhost"})


def _oversize(index: Index) -> Iterator[tuple[str, HttpRequest]]:
    large = DEFAULT_LIMITS.body + 1
    bomb = gzip.compress(bytes(DEFAULT_LIMITS.inflated + 1), mtime=0)
    for name, protocol in (("sts", "query"), ("dynamodb", "json"), ("route53", "rest-xml"), ("lambda", "rest-json")):
        for what, base in _bases(index, name, protocol, 12, 0):
            if base.body and "GET" not in base.method:
                yield f"{what} oversize", _with(base, body=b" " * large)
                yield f"{what} bomb", _with(base, headers={**base.headers, "content-encoding": "gzip"}, body=bomb)
                break


def _chunked() -> Iterator[tuple[str, HttpRequest]]:
    """Uploads in broken framing."""
    random = Random("chunked")
    good = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    scope = "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    for number in range(600):
        body = bytearray(good)
        for _ in range(random.randint(1, 5)):
            body[random.randrange(len(body))] = random.randrange(256)
        cut = bytes(body[: random.randint(0, len(body))]) if number % 2 else bytes(body)
        headers = {
            "host": "localhost",
            "authorization": scope,
            "content-encoding": "aws-chunked",
            "x-amz-content-sha256": random.choice((UNSIGNED_TRAILER, SIGNED)),
            "x-amz-decoded-content-length": random.choice(("5", "5", "5", "", "-1", "99999999999999999999", "x")),
            "x-amz-trailer": random.choice(("x-amz-checksum-crc32", "", "x-amz-checksum-nope", ",,,", "\xff")),
        }
        junk = cut if number % 5 else struct.pack("!Q", number) * random.randint(0, 400)
        yield f"chunked {number}", HttpRequest("PUT", b"/bucket/key", b"", headers, junk)


def over_http(request: HttpRequest) -> bytes | None:
    """The request as HTTP/1.1 on a connection of its own; None where HTTP has no way to say it."""
    target = request.raw_path + (b"?" + request.query_string if request.query_string else b"")
    headers = {**request.headers, "content-length": str(len(request.body)), "connection": "close"}
    lines = [f"{name}: {value}".encode("latin-1", "replace") for name, value in headers.items()]
    if not _TOKEN.fullmatch(request.method) or not target.startswith(b"/") or _UNSAYABLE.search(target):
        return None
    if any(_UNSAYABLE_IN_HEADER.search(line) for line in lines) or sum(map(len, lines)) + len(target) > 60_000:
        return None
    return b"\r\n".join([request.method.encode() + b" " + target + b" HTTP/1.1", *lines, b"", request.body])


_TOKEN = re.compile(r"[A-Za-z]{1,20}")
_UNSAYABLE = re.compile(rb"[\x00-\x20\x7f-\xff]")
_UNSAYABLE_IN_HEADER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


async def decode_all(made: Iterable[tuple[str, HttpRequest]], index: Index) -> Outcome:
    """Route and decode every request. Each must give parameters or an AwsError with 4xx or 501 that can be encoded."""
    outcome = Outcome()
    for name, request in made:
        started = time.process_time()  # what others do on the machine does not count
        try:
            await _decode_one(request, index, outcome)
        except Exception as error:  # the very thing that must not happen
            outcome.failures.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
        took = time.process_time() - started
        if took > outcome.slowest[0]:
            outcome.slowest = (took, name)
        if took > SLOWEST:
            outcome.failures.append(f"{name}: took {took:.2f} s")
    return outcome


async def _decode_one(request: HttpRequest, index: Index, outcome: Outcome) -> None:
    route: Route | None = None
    try:
        route = identify(request, index)
        assert route.operation is not None
        if route.operation.streams_input:
            request.stream = _stream(request)
        for value in decode(route, request).values():
            if isinstance(value, AsyncIterator):
                async for _ in value:
                    pass
        outcome.decoded += 1
    except AwsError as error:
        assert 400 <= error.status < 500 or error.status == 501, f"{error.code} {error.status}"
        response = encode_error(getattr(error, "route", None) or route, error, "request-1")
        assert response.status == error.status or response.status < 500
        assert isinstance(response.body, bytes)
        assert b"Traceback" not in response.body
        assert len(response.body) < 8192, f"{error.code}: an answer of {len(response.body)} bytes"
        assert all(text.isascii() and text.isprintable() for text in response.headers.values()), response.headers
        outcome.refused[error.code] += 1


async def _stream(request: HttpRequest) -> AsyncIterator[bytes]:
    for start in range(0, len(request.body), 16):
        yield request.body[start : start + 16]
