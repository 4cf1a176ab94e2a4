"""One HTTP request and one response, as the wire codecs see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class ChunkVerifier(Protocol):
    """Checks the signatures of an aws-chunked body, chunk by chunk, in the order in which they come."""

    def chunk(self, signature: str, data: bytes) -> bool: ...
    def trailer(self, signature: str, trailer: bytes) -> bool: ...


@dataclass(slots=True)
class HttpRequest:
    """A request before decoding. Header names are lower case; `raw_path` and `query_string` are as sent, undecoded.

    `body` holds the whole body, unless the operation streams its payload: then it is empty and `stream` yields
    the chunks.
    """

    method: str
    raw_path: bytes
    query_string: bytes
    headers: Mapping[str, str]
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    chunk_verifier: ChunkVerifier | None = None
    client: str = "127.0.0.1"
    vpc: str | None = None
    """The VPC that the client's address is of, when it is a guest of this cloud."""
    scheme: str = "http"
    of_link: frozenset[str] = frozenset()
    """Those of `headers` that stand in the query string of a signed link to S3."""


@dataclass(slots=True)
class HttpResponse:
    """A response ready to send; `body` is bytes, or an iterator of chunks when it streams."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""
