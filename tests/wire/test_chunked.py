"""aws-chunked bodies: as botocore sends them, and as nobody should."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from collections.abc import AsyncIterator

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum

from controlplane.core.checksums import ALGORITHMS
from controlplane.core.errors import AwsError
from controlplane.wire.chunked import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, ChunkedBody, is_chunked

DATA = bytes(range(256)) * 300
SIGNATURE = "a" * 64


class Verifier:
    """Notes what it is asked, and says no to the chunk of the given number."""

    def __init__(self, refuse_at: int | None = None) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self._refuse_at = refuse_at

    def chunk(self, signature: str, data: bytes) -> bool:
        self.asked.append((signature, data))
        return len(self.asked) != self._refuse_at

    trailer = chunk


async def _stream(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _headers(mode: str, length: int, trailer: str = "") -> dict[str, str]:
    headers = {"x-amz-content-sha256": mode, "x-amz-decoded-content-length": str(length)}
    return {**headers, "x-amz-trailer": trailer} if trailer else headers


async def _read(body: ChunkedBody) -> bytes:
    return b"".join([piece async for piece in body])


@pytest.mark.parametrize("size", [1, 7, 1000, 10_000_000])
async def test_botocore_with_a_trailing_checksum(size: int) -> None:
    wrapper = AwsChunkedWrapper(
        io.BytesIO(DATA), checksum_cls=Crc32Checksum, checksum_name="x-amz-checksum-crc32", chunk_size=8192
    )
    headers = _headers(UNSIGNED_TRAILER, len(DATA), "x-amz-checksum-crc32")
    assert is_chunked(headers)
    body = ChunkedBody(_stream(wrapper.read(), size), headers)
    assert await _read(body) == DATA
    crc = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
    assert body.trailers == {"x-amz-checksum-crc32": crc}


def _signed(data: bytes, chunk: int, trailer: bytes = b"") -> bytes:
    pieces = [data[start : start + chunk] for start in range(0, len(data), chunk)] + [b""]
    framed = [b"%x;chunk-signature=%s\r\n%s" % (len(piece), SIGNATURE.encode(), piece) for piece in pieces]
    return b"\r\n".join(framed) + trailer + b"\r\n"


@pytest.mark.parametrize("size", [1, 100_000])
async def test_signatures_of_chunks_are_asked_for(size: int) -> None:
    verifier = Verifier()
    body = ChunkedBody(_stream(_signed(DATA, 65536), size), _headers(SIGNED, len(DATA)), verifier)
    assert await _read(body) == DATA
    assert verifier.asked == [(SIGNATURE, piece) for piece in (DATA[:65536], DATA[65536:], b"")]


async def test_the_signature_of_the_trailer_is_asked_for() -> None:
    checksum = base64.b64encode(hashlib.sha256(DATA).digest())
    trailer = b"x-amz-checksum-sha256:%s\r\nx-amz-trailer-signature:%s\r\n" % (checksum, b"b" * 64)
    verifier = Verifier()
    headers = _headers(SIGNED_TRAILER, len(DATA), "x-amz-checksum-sha256")
    assert await _read(ChunkedBody(_stream(_signed(DATA, 65536, trailer), 1000), headers, verifier)) == DATA
    assert verifier.asked[-1] == ("b" * 64, b"x-amz-checksum-sha256:%s\n" % checksum)


@pytest.mark.parametrize(("verifier", "given"), [(Verifier(refuse_at=2), DATA[:65536]), (None, b"")])
async def test_a_chunk_is_given_out_only_when_verified(verifier: Verifier | None, given: bytes) -> None:
    body = ChunkedBody(_stream(_signed(DATA, 65536), 100), _headers(SIGNED, len(DATA)), verifier)
    got = b""
    with pytest.raises(AwsError) as caught:
        async for piece in body:
            got += piece
    assert (caught.value.code, caught.value.status, got) == ("SignatureDoesNotMatch", 403, given)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("crc32", "cbf43926"), ("crc32c", "e3069283"), ("crc64nvme", "ae8b14860a799888"), ("sha1", "f7c3bc1d808e0473")],
)
def test_checksums_of_the_standard_check_string(name: str, expected: str) -> None:
    checksum = ALGORITHMS[name]()
    checksum.update(b"1234")
    checksum.update(b"56789")
    assert checksum.digest().hex().startswith(expected)


UNSIGNED = _headers(UNSIGNED_TRAILER, 5)
WITH_CRC = _headers(UNSIGNED_TRAILER, 5, "x-amz-checksum-crc32")
BAD = [
    ("empty", b"", UNSIGNED, "IncompleteBody"),
    ("no end", b"5\r\nhello\r\n", UNSIGNED, "IncompleteBody"),
    ("cut in the data", b"5\r\nhel", UNSIGNED, "IncompleteBody"),
    ("too short", b"4\r\nhell\r\n0\r\n\r\n", UNSIGNED, "IncompleteBody"),
    ("too long", b"6\r\nhello!\r\n0\r\n\r\n", UNSIGNED, "IncompleteBody"),
    ("longer than its header", b"4\r\nhello\r\n0\r\n\r\n", UNSIGNED, "IncompleteBody"),
    ("size is not a number", b"x\r\nhello\r\n0\r\n\r\n", UNSIGNED, "IncompleteBody"),
    ("negative size", b"-5\r\nhello\r\n0\r\n\r\n", UNSIGNED, "IncompleteBody"),
    ("huge size", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", UNSIGNED, "IncompleteBody"),
    ("endless header", b"5" * 100_000, UNSIGNED, "IncompleteBody"),
    ("header with another extension", b"5;x=y\r\nhello\r\n0\r\n\r\n", UNSIGNED, "IncompleteBody"),
    ("signature where none belongs", _signed(b"hello", 5), UNSIGNED, "IncompleteBody"),
    ("no signature", b"5\r\nhello\r\n0\r\n\r\n", _headers(SIGNED, 5), "IncompleteBody"),
    ("goes on", b"5\r\nhello\r\n0\r\n\r\nmore", UNSIGNED, "IncompleteBody"),
    ("wrong checksum", b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", WITH_CRC, "BadDigest"),
    ("no checksum", b"5\r\nhello\r\n0\r\n\r\n", WITH_CRC, "MalformedTrailerError"),
    ("endless trailer", b"5\r\nhello\r\n0\r\n" + b"a:b\r\n" * 9000 + b"\r\n", UNSIGNED, "MalformedTrailerError"),
    ("a trailer twice", b"5\r\nhello\r\n0\r\na:b\r\nA:b\r\n\r\n", UNSIGNED, "MalformedTrailerError"),
    ("garbage trailer", b"5\r\nhello\r\n0\r\n\x00\xff\r\n\r\n", UNSIGNED, "MalformedTrailerError"),
    ("trailer where none belongs", _signed(b"hello", 5, b"a:b\r\n"), _headers(SIGNED, 5), "MalformedTrailerError"),
    ("no length", b"0\r\n\r\n", {"x-amz-content-sha256": UNSIGNED_TRAILER}, "MissingContentLength"),
    ("unknown checksum", b"0\r\n\r\n", _headers(UNSIGNED_TRAILER, 0, "x-amz-checksum-nope"), "InvalidRequest"),
]


@pytest.mark.parametrize("size", [1, 1_000_000])
@pytest.mark.parametrize(("what", "raw", "headers", "code"), BAD, ids=[case[0] for case in BAD])
async def test_bad_framing_is_refused(size: int, what: str, raw: bytes, headers: dict[str, str], code: str) -> None:
    with pytest.raises(AwsError) as caught:
        await _read(ChunkedBody(_stream(raw, size), headers, Verifier()))
    assert caught.value.code == code
    assert 400 <= caught.value.status < 500
