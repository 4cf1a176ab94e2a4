"""Bodies in `aws-chunked` framing, with or without signatures of the chunks, with or without trailing checksums.

hex-size[;chunk-signature=64 hex digits]CRLF data CRLF … 0[;chunk-signature=…]CRLF [name:value CRLF …] CRLF
"""

from __future__ import annotations

import hmac
import re
from collections.abc import AsyncIterator, Mapping

from controlplane.core.checksums import ALGORITHMS, text
from controlplane.core.errors import AwsError
from controlplane.core.http import ChunkVerifier

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

_CHUNK_HEADER = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER_LINE = re.compile(rb"([A-Za-z0-9-]{1,128}):[ \t]*([\x20-\x7e]{0,1024}?)[ \t]*")
_LONGEST_HEADER = 256
_LONGEST_TRAILER = 16 * 1024
_CHECKSUM = "x-amz-checksum-"
_SIGNATURE = "x-amz-trailer-signature"
_MODES = frozenset({SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER})
# A signed chunk is held until it is verified. AWS's own clients send 64 KiB to 1 MiB.
_LARGEST_SIGNED = 16 * 1024 * 1024


class IncompleteBody(AwsError):
    """The framing is broken, or the body is shorter or longer than declared."""

    code = "IncompleteBody"


class MalformedTrailer(AwsError):
    """The trailer is not what the request's headers announced."""

    code = "MalformedTrailerError"


class BadSignature(AwsError):
    """A chunk or the trailer does not carry the signature it should."""

    code = "SignatureDoesNotMatch"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "The request signature we calculated does not match the signature you provided. Check your key and signing "
            "method."
        )


class BadDigest(AwsError):
    """The data does not have the checksum that the trailer names."""

    code = "BadDigest"


def is_chunked(headers: Mapping[str, str]) -> bool:
    """Whether a request's body comes in this framing."""
    return headers.get("x-amz-content-sha256", "") in _MODES


class ChunkedBody:
    """An asynchronous iterator over the data of a framed body.

    A signed chunk is given out when its signature was verified, other data as it arrives. A checksum is verified at the
    end: whoever stores the data must not keep it unless the iteration ends without an error. `trailers` is filled then.
    Raises AwsError while iterating.
    """

    def __init__(
        self,
        stream: AsyncIterator[bytes],
        headers: Mapping[str, str],
        verifier: ChunkVerifier | None = None,
    ) -> None:
        self.trailers: dict[str, str] = {}
        mode = headers.get("x-amz-content-sha256", "")
        self._stream = aiter(stream)
        self._buffer = bytearray()
        self._signed = mode in (SIGNED, SIGNED_TRAILER)
        self._has_trailer = mode in (SIGNED_TRAILER, UNSIGNED_TRAILER)
        self._verifier = verifier
        self._pieces = self._read()
        self._left = _declared_length(headers)
        self._checksums = {name: ALGORITHMS[name]() for name in _announced(headers)}
        self.announced = frozenset(self._checksums)
        """Algorithms of the checksums in the trailer."""
        self.length = self._left
        """Bytes of data, as declared by the request."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def _read(self) -> AsyncIterator[bytes]:
        while True:
            size, signature = await self._chunk_header()
            if size > self._left:
                raise IncompleteBody("The request body is longer than its declared length.")
            pieces = self._verified(size, signature) if self._signed else self._data(size)
            async for piece in pieces:
                for checksum in self._checksums.values():
                    checksum.update(piece)
                yield piece
            if size == 0:
                break
            await self._line_end()
        if self._left:
            raise IncompleteBody("The request body terminated unexpectedly")
        await self._read_trailer()

    async def _fill(self) -> None:
        """Read on. Raises IncompleteBody at the end of the body."""
        piece = b""
        while not piece:
            try:
                piece = await anext(self._stream)
            except StopAsyncIteration:
                raise IncompleteBody("The request body terminated unexpectedly") from None
        self._buffer += piece

    async def _line(self, longest: int) -> bytes:
        while (end := self._buffer.find(b"\r\n", 0, longest + 2)) < 0:
            if len(self._buffer) >= longest + 2:
                raise IncompleteBody("A line of the chunked body is too long.")
            await self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    async def _chunk_header(self) -> tuple[int, str]:
        match = _CHUNK_HEADER.fullmatch(await self._line(_LONGEST_HEADER))
        if match is None or bool(match[2]) != self._signed:
            raise IncompleteBody("A chunk of the body has a malformed header.")
        return int(match[1], 16), (match[2] or b"").decode()

    async def _data(self, size: int) -> AsyncIterator[bytes]:
        while size:
            if not self._buffer:
                await self._fill()
            piece = bytes(self._buffer[:size])
            del self._buffer[: len(piece)]
            size -= len(piece)
            self._left -= len(piece)
            yield piece

    async def _verified(self, size: int, signature: str) -> AsyncIterator[bytes]:
        """A whole chunk, once its signature was verified."""
        if size > _LARGEST_SIGNED:
            raise IncompleteBody("A signed chunk of the body is too long.")
        data = b"".join([piece async for piece in self._data(size)])
        if self._verifier is None or not self._verifier.chunk(signature, data):
            raise BadSignature
        if data:
            yield data

    async def _line_end(self) -> None:
        if await self._line(0):
            raise IncompleteBody("A chunk of the body is longer than its header says.")

    async def _read_trailer(self) -> None:
        lines, size = [], 0
        while line := await self._line(_LONGEST_TRAILER):
            lines.append(line)
            size += len(line)
            if size > _LONGEST_TRAILER:
                raise MalformedTrailer("The trailer is too long.")
        if self._buffer or await self._has_more():
            raise IncompleteBody("The request body goes on after its last chunk.")
        for line in lines:
            match = _TRAILER_LINE.fullmatch(line)
            if match is None or not self._has_trailer or match[1].decode().lower() in self.trailers:
                raise MalformedTrailer(
                    "The request contained trailing data that was not well-formed or did not conform to our published "
                    "schema."
                )
            self.trailers[match[1].decode().lower()] = match[2].decode()
        self._check_trailer()

    async def _has_more(self) -> bool:
        async for piece in self._stream:
            if piece:
                return True
        return False

    def _check_trailer(self) -> None:
        signature = self.trailers.pop(_SIGNATURE, "")
        if self._signed and self._has_trailer:
            lines = "".join(f"{name}:{value}\n" for name, value in self.trailers.items())
            if self._verifier is None or not self._verifier.trailer(signature, lines.encode()):
                raise BadSignature
        for name, checksum in self._checksums.items():
            given = self.trailers.get(f"{_CHECKSUM}{name}")
            if given is None:
                raise MalformedTrailer(f"The trailer lacks {_CHECKSUM}{name}, which the request announced.")
            if not hmac.compare_digest(given, text(checksum)):
                raise BadDigest(f"The {name.upper()} you specified did not match the calculated checksum.")


def _declared_length(headers: Mapping[str, str]) -> int:
    declared = headers.get("x-amz-decoded-content-length", "")
    if not (declared.isascii() and declared.isdigit() and len(declared) <= 15):
        raise AwsError("You must provide the Content-Length HTTP header.", code="MissingContentLength", status=411)
    return int(declared)


def _announced(headers: Mapping[str, str]) -> list[str]:
    """The checksum algorithms in `x-amz-trailer`."""
    names = [name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",") if name.strip()]
    algorithms = [name.removeprefix(_CHECKSUM) for name in names if name.startswith(_CHECKSUM)]
    for algorithm in algorithms:
        if algorithm not in ALGORITHMS:
            raise AwsError("The value specified in the x-amz-trailer header is not supported", code="InvalidRequest")
    return algorithms
