"""The metadata service without a machine: paths, tokens, malformed requests, credentials."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.contract.exchange import Credentials
from agents.contract.machine import Image
from agents.contract.network import SecurityGroup
from agents.network.metadata.credentials import CredentialCache
from agents.network.metadata.http import Request, Response, serve
from agents.network.metadata.service import MetadataService
from agents.network.metadata.tokens import Tokens
from agents.network.metadata.tree import Identity
from tests.agents import documents


def _identity(**about: object) -> Identity:
    port = documents.port("eni-1", "10.0.0.5", ("sg-1",), instance="i-1")
    vpc = documents.vpc("vpc-1", "10.0.0.0/16", (SecurityGroup(id="sg-1", name="web"),), (port,))
    machine = documents.machine(
        "i-1", "vpc-1", ("eni-1",), Image(id="ami-1", disk="0" * 64), "ssh-ed25519 AAAA", **about
    )
    return Identity(machine, vpc.ports[0], vpc)


def _service(folder: Path, identity: Identity | None, credentials: Credentials | None = None) -> MetadataService:
    async def fetch(_machine: str) -> Credentials | None:
        return credentials

    return MetadataService(
        Tokens(folder / "key"), CredentialCache(fetch), lambda _vpc, _address: identity, lambda _machine: None
    )


async def _get(service: MetadataService, path: str) -> tuple[int, str]:
    response = await service.handle("vpc-1", Request("GET", path, {}, "10.0.0.5"))
    return response.status, response.body.decode()


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/latest/meta-data/ami-id", 200, "ami-1"),
        ("/latest/meta-data/ami-id/", 404, None),
        ("/latest/meta-data/placement/", 200, "availability-zone\nregion"),
        ("/latest/meta-data/placement", 200, "availability-zone\nregion"),
        ("/latest/meta-data/public-keys/0/", 200, "openssh-key"),
        ("/latest/meta-data/public-keys/0/openssh-key", 200, "ssh-ed25519 AAAA"),
        ("/latest/meta-data/public-keys/1", 404, None),
        ("/latest/meta-data/public-ipv4", 404, None),
        ("/latest/meta-data/iam/info", 404, None),
        ("/latest/meta-data/tags/", 404, None),
        ("/latest/user-data", 404, None),
        ("/latest/dynamic/", 200, "instance-identity/"),
        ("/1.0/meta-data/security-groups", 200, "web"),
        ("/2009-04-04/meta-data/mac", 200, "02:aa:0a:00:00:05"),
        ("/2030-01-01/meta-data/", 404, None),
        ("/favicon.ico", 404, None),
        ("/latest/meta-data/../../etc/passwd", 404, None),
    ],
)
async def test_paths(tmp_path: Path, path: str, status: int, text: str | None) -> None:
    answered, body = await _get(_service(tmp_path, _identity()), path)
    assert answered == status
    assert text is None or body == text


async def test_strangers_are_told_nothing(tmp_path: Path) -> None:
    assert (await _get(_service(tmp_path, None), "/latest/meta-data/"))[0] == 404


async def test_credentials_are_asked_for_again_shortly_before_they_expire() -> None:
    asked = []

    def expiring(left: timedelta) -> Credentials:
        end = (datetime.now(UTC) + left).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Credentials(
            access_key_id=f"ASIA{len(asked)}", secret_access_key="s", token="t", last_updated=end, expiration=end
        )

    lifetimes = [timedelta(minutes=4), timedelta(hours=1)]

    async def fetch(machine: str) -> Credentials | None:
        if not lifetimes:
            raise ConnectionError("the control plane is away")
        asked.append(machine)
        return expiring(lifetimes.pop(0))

    cache = CredentialCache(fetch)
    assert await cache.get("i-1", "web") is not None
    second = await cache.get("i-1", "web")
    assert await cache.get("i-1", "web") == second and asked == ["i-1", "i-1"]
    with pytest.raises(ConnectionError):
        await cache.get("i-2", "web")


def test_tokens_belong_to_one_machine_and_outlive_a_restart(tmp_path: Path) -> None:
    token = Tokens(tmp_path / "key").make("i-1", "60")
    assert token is not None
    again = Tokens(tmp_path / "key")
    assert again.remaining("i-1", token) in (58, 59, 60)
    assert again.remaining("i-2", token) is None
    assert again.remaining("i-1", token[:-4] + "AAAA") is None
    assert again.remaining("i-1", "not a token") is None
    assert [Tokens(tmp_path / "key").make("i-1", ttl) for ttl in ("0", "21601", "-1", "", "x", "1e3")] == [None] * 6


async def _talk(requests: bytes) -> bytes:
    async def handler(request: Request) -> Response:
        return Response(200, f"{request.method} {request.path}".encode(), hops=1)

    listener = socket.create_server(("127.0.0.1", 0))
    server = await serve(listener, handler)
    try:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(requests)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return answer
    finally:
        server.close()


@pytest.mark.parametrize(
    ("requests", "statuses"),
    [
        (b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b?q HTTP/1.1\r\nHost: x\r\n\r\n", [200, 200]),
        (b"GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\n", [200]),
        (b"HEAD /a HTTP/1.1\r\n\r\n", [200]),
        (b"PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n", [200, 200]),
        (b"nonsense\r\n\r\n", [400]),
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 40000, [400]),
        (b"\x16\x03\x01\x00\xff" * 100, [400]),
        (b"", []),
    ],
)
async def test_whatever_is_sent_is_answered_or_refused(requests: bytes, statuses: list[int]) -> None:
    answer = await _talk(requests)
    assert [int(head[:3]) for head in answer.split(b"HTTP/1.1 ")[1:]] == statuses
