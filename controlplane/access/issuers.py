"""Fetching documents from identity providers that users of this cloud name.

Whoever may create a provider chooses an address that this process calls, so a call is bounded in time and size, speaks
only HTTPS, follows no redirect, goes only where accounts may let this cloud call, and its failure is told without a
reason. The server must show a certificate of a CA that this host trusts, or of one whose thumbprint the provider lists.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

SECONDS = 5.0
LARGEST = 256 * 1024
_DER = 2  # `_ssl.ENCODING_DER`

Resolve = Callable[[str, int], Awaitable[str]]
"""An address of a host and port that may be called, looked up once so that it cannot change between check and use;
`resolve` of the engine `outbound`. Raises ValueError, OSError."""


class IssuerUnreachable(Exception):
    """The identity provider does not answer as it should. The message is for the log."""


async def fetch_json(url: str, thumbprints: Collection[str], resolve: Resolve) -> dict[str, Any]:
    """A JSON object at a URL. Raises IssuerUnreachable."""
    try:
        async with asyncio.timeout(SECONDS):
            host, port, address = await _resolved(url, resolve)
            try:
                body = await _get(url, address, ssl.create_default_context())
            except httpx.ConnectError:  # among others: the certificate is of no CA that this host trusts
                body = await _get(url, address, _pinning(await _chain(host, port, address), thumbprints))
        found = orjson.loads(body)
    except (OSError, TimeoutError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise IssuerUnreachable(f"{url[:200]}: {error!r}") from error
    if not isinstance(found, dict):
        raise IssuerUnreachable(f"{url[:200]}: not a JSON object")
    return found


async def thumbprint(url: str, resolve: Resolve) -> str:
    """The SHA-1 of the last certificate that the server shows, as IAM takes it. Raises IssuerUnreachable."""
    try:
        async with asyncio.timeout(SECONDS):
            chain = await _chain(*await _resolved(url, resolve))
    except (OSError, TimeoutError, ValueError) as error:
        raise IssuerUnreachable(f"{url[:200]}: {error!r}") from error
    if not chain:
        raise IssuerUnreachable(f"{url[:200]}: no certificate")
    return _sha1(chain[-1])


def _sha1(certificate: bytes) -> str:
    return hashlib.sha1(certificate, usedforsecurity=False).hexdigest()


async def _resolved(url: str, resolve: Resolve) -> tuple[str, int, str]:
    """Host, port and address."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("not an https URL")
    port = parts.port or 443
    return parts.hostname, port, await resolve(parts.hostname, port)


async def _get(url: str, address: str, context: ssl.SSLContext) -> bytes:
    target = httpx.URL(url)
    headers = {"host": target.netloc.decode(), "accept": "application/json"}
    async with (
        httpx.AsyncClient(verify=context, follow_redirects=False, trust_env=False, timeout=SECONDS) as client,
        client.stream(
            "GET", target.copy_with(host=address), headers=headers, extensions={"sni_hostname": target.host}
        ) as answer,
    ):
        if answer.status_code != 200:
            raise ValueError(f"status {answer.status_code}")
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > LARGEST:
                raise ValueError("too large")
        return bytes(body)


async def _chain(host: str, port: int, address: str) -> list[bytes]:
    """The certificates that a server shows, its own first, in DER; not yet believed."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
    try:
        shown = writer.get_extra_info("ssl_object")._sslobj.get_unverified_chain() or []
        return [certificate.public_bytes(_DER) for certificate in shown]
    finally:
        writer.close()


def _pinning(chain: list[bytes], thumbprints: Collection[str]) -> ssl.SSLContext:
    """A context that trusts only those of the shown certificates whose thumbprints are listed."""
    trusted = [certificate for certificate in chain if _sha1(certificate) in thumbprints]
    if not trusted:
        raise ValueError("no shown certificate has a thumbprint that is listed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=b"".join(trusted))
    return context
