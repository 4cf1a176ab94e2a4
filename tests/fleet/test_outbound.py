"""Where accounts may have this cloud call, and which servers it believes."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from controlplane.fleet.outbound import ForbiddenAddress, Outbound
from controlplane.services.sns import sending
from tests.services.iam.certificates import certify

OPEN = (ip_network("127.0.0.1/32"),)


class Database:
    """Knows one other host."""

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Any]:
        yield self

    async def cached(self, sql: str) -> list[dict[str, str]]:
        return [{"address": "10.7.0.9"}]


def outbound(*reachable: Any) -> Outbound:
    return Outbound(Database(), reachable)  # type: ignore[arg-type]


def own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        return str(probe.getsockname()[0])


FORBIDDEN = """
127.0.0.1 127.9.9.9 0.0.0.0 0.1.2.3 169.254.169.254 224.0.0.1 240.0.0.1 10.7.0.9
::1 :: ::ffff:127.0.0.1 fe80::1 64:ff9b::7f00:1 2002:7f00:1:: ff02::1 fd00:ec2::254
"""


@pytest.mark.parametrize("address", FORBIDDEN.split())
async def test_addresses_of_the_cloud_are_forbidden(address: str) -> None:
    assert await outbound().forbids(address)


async def test_others_are_not_and_the_owner_decides() -> None:
    assert not await outbound().forbids("192.0.2.1")
    assert not await outbound().forbids("2001:db8::1")
    assert not await outbound(*OPEN).forbids("127.0.0.1")
    assert not await outbound(*OPEN).forbids("::ffff:127.0.0.1")
    assert await outbound(*OPEN).forbids("127.0.0.2")


async def test_an_address_of_this_host_is_forbidden() -> None:
    try:
        address = own_address()
    except OSError:
        pytest.skip("this machine has no address but loopback's")
    assert await outbound().forbids(address)


async def test_of_several_addresses_one_that_is_allowed_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answers = {"both": ["127.0.0.1", "192.0.2.7"], "none": ["::1", "169.254.169.254"]}

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(0, 0, 0, "", (address, port)) for address in answers[host]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    assert await outbound().resolve("both", 80) == "192.0.2.7"
    with pytest.raises(ForbiddenAddress):
        await outbound().resolve("none", 80)
    assert asked == ["both", "none"], "a name is looked up once"


async def test_only_servers_with_a_good_certificate_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = certify("an authority", ca=True)
    server_s = certify("localhost", authority)
    for name, text in (("authority", authority.pem), ("certificate", server_s.pem), ("key", server_s.key_pem)):
        (tmp_path / name).write_text(text)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]

        async def tell(host: str) -> tuple[int, str]:
            return await sending.over_http(outbound(*OPEN), f"https://{host}:{port}/", {"body": "x"}, {})

        with pytest.raises(sending.Failed, match="CERTIFICATE_VERIFY_FAILED"):
            await tell("localhost")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority"))
        assert await tell("localhost") == (200, "hi")
        addresses = asyncio.get_running_loop().getaddrinfo

        async def lie(host: str, port: int, **more: Any) -> Any:
            return await addresses("127.0.0.1", port, **more)

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lie)
        with pytest.raises(sending.Failed, match="CERTIFICATE_VERIFY_FAILED"):
            await tell("another.example")
