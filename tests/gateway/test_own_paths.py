"""The cloud's own API: bodies have bounds, and only a host with its key may say for whom it calls."""

from __future__ import annotations

import http.client
import socket
import time
from urllib.parse import urlsplit

import pytest

from agents.contract import relayed
from agents.contract.exchange import PREFIX
from agents.contract.relayed import Guest
from tests.cloud import Cloud

GUEST = Guest("h-1", "vpc-1", "10.0.0.9", 40000)
KEY = bytes(32)


@pytest.mark.parametrize(
    ("path", "size"), [("join", 200_000), ("observed", 17 << 20), ("machines/i-1/console", 1 << 20)]
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused_before_any_token_is_looked_at(
    cloud: Cloud, path: str, size: int, chunked: bool
) -> None:
    connection = http.client.HTTPConnection(urlsplit(cloud.endpoint).netloc, timeout=20)
    pieces = (b"x" * 100_000 for _ in range(size // 100_000 + 1))
    headers = {} if chunked else {"content-length": str((size // 100_000 + 1) * 100_000)}
    connection.request("POST", f"{PREFIX}/{path}", pieces, headers, encode_chunked=chunked)
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"larger than" in answer.read()


def test_what_is_small_is_still_taken(cloud: Cloud) -> None:
    connection = http.client.HTTPConnection(urlsplit(cloud.endpoint).netloc, timeout=20)
    for path, status in (("join", 422), ("observed", 401)):
        body = b'{"machines": []}'
        connection.request("POST", f"{PREFIX}/{path}", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (status, True)


def test_nobody_poses_as_a_guest(cloud: Cloud) -> None:
    for beginning in (
        relayed.header(GUEST, KEY, time.time()),
        relayed.SIGNATURE + b"\x21\x11\x00\x0c" + bytes(12),
        relayed.SIGNATURE + b"\x20\x00\x00\x00",
        relayed.SIGNATURE + b"\x21\x11\xff\xff" + bytes(100),
    ):
        with socket.create_connection(("127.0.0.1", int(cloud.endpoint.rpartition(":")[2])), 10) as client:
            client.sendall(beginning + b"GET /_celaje/health HTTP/1.1\r\nhost: x\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_a_header_is_read_however_it_comes_and_only_with_its_proof() -> None:
    now = time.time()
    told = relayed.header(GUEST, KEY, now)
    for end in range(12, len(told)):
        assert relayed.read(told[:end], lambda _: KEY, now) is None
    assert relayed.read(told + b"GET", lambda _: KEY, now) == (GUEST, b"GET")
    for changed in (told[:20] + b"\x0b" + told[21:], told[:-1] + bytes([told[-1] ^ 1])):
        with pytest.raises(relayed.Unproven):
            relayed.read(changed, lambda _: KEY, now)
    with pytest.raises(relayed.Unproven):
        relayed.read(told, lambda _: bytes([1] * 32), now)
    with pytest.raises(relayed.Unproven):
        relayed.read(told, lambda _: KEY, now + 400)
