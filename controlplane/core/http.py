"""One HTTP request and one response, as the wire codecs see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


def one_line(text: str) -> str:
    """Text as a header can carry it: Latin-1 (what is beyond it as the bytes of UTF-8), without line breaks."""
    if text.isascii() and text.isprintable():
        return text
    if any(character > "\xff" for character in text):
        text = text.encode("utf-8", "replace").decode("latin-1")
    return "".join(character if character >= " " and character != "\x7f" else " " for character in text)


class ChunkVerifier(Protocol):
    """Checks the signatures of an aws-chunked body, chunk by chunk, in the order in which they come."""

    def chunk(self, signature: str, data: bytes) -> bool: ...
    def trailer(self, signature: str, trailer: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class Signed:
    """How a request was signed: by which scheme, where the signature stands, and when it was made (seconds since the
    epoch; None where it does not say). In the words of S3's condition keys."""

    scheme: str
    place: str
    moment: float | None


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
    signed: Signed | None = None
    """Set when the signature was found right."""


@dataclass(slots=True)
class HttpResponse:
    """A response ready to send; `body` is bytes, or an iterator of chunks when it streams."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""
