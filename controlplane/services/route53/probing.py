"""Asking an endpoint whether it is well."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

from controlplane.fleet.outbound import ForbiddenAddress, Outbound

_CONNECT_SECONDS, _ANSWER_SECONDS = 4.0, 2.0
_SEARCHED = 5120
"""So many bytes of a body are looked through for the string, as AWS does."""
_WELL = range(200, 400)


async def probe(outbound: Outbound, config: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether it is well, and a line of explanation. Takes no longer than the time limits together."""
    try:
        return await _probe(outbound, config)
    except TimeoutError:
        return False, "Failure: Connection timed out. The endpoint or the network is down, or requests are blocked."
    except (OSError, ValueError, IndexError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        return False, f"Failure: {type(error).__name__}. The endpoint cannot be reached."


async def _probe(outbound: Outbound, config: Mapping[str, Any]) -> tuple[bool, str]:
    kind, name, port = config["Type"], config.get("FullyQualifiedDomainName"), int(config["Port"])
    async with asyncio.timeout(_CONNECT_SECONDS):
        try:
            address = await outbound.resolve(str(config.get("IPAddress") or name), port)
        except ForbiddenAddress:
            return False, "Failure: The endpoint's address is not allowed."
        secure = _any_certificate() if kind.startswith("HTTPS") else None
        server_name = (name or address) if secure and config.get("EnableSNI") else ("" if secure else None)
        reader, writer = await asyncio.open_connection(address, port, ssl=secure, server_hostname=server_name)
    try:
        if kind == "TCP":
            return True, "Success: TCP connection was established."
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await _ask(reader, writer, config, str(name or address))
    finally:
        writer.close()


def _any_certificate() -> ssl.SSLContext:
    """Health checks of Route 53 do not look at certificates."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, config: Mapping[str, Any], host: str
) -> tuple[bool, str]:
    path = config.get("ResourcePath") or "/"
    path = path if path.startswith("/") else f"/{path}"
    lines = (f"GET {path} HTTP/1.1", f"Host: {host}", "User-Agent: Amazon-Route53-Health-Check-Service", "Accept: */*")
    writer.write("\r\n".join((*lines, "Connection: close", "", "")).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status not in _WELL:
        return False, f"Failure: HTTP Status Code {status}"
    wanted = config.get("SearchString")
    if wanted and wanted.encode() not in await _read(reader):
        return False, "Failure: The search string was not found in the response body."
    return True, f"Success: HTTP Status Code {status}"


async def _read(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) < _SEARCHED and (part := await reader.read(_SEARCHED - len(body))):
        body += part
    return body
