"""A client of JSON operations that costs little: one connection, one request at a time, signed by hand."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import orjson

from controlplane.access.sigv4 import signing_key
from tests.cloud import Account

_SIGNED = "host;x-amz-date;x-amz-target"


class Refused(Exception):
    """An answer that is no success: status and body."""


class LightClient:
    """Speaks SQS's JSON protocol. Raises Refused, and OSError or EOFError when the connection goes."""

    def __init__(self, account: Account, service: str = "sqs", target: str = "AmazonSQS") -> None:
        parts = urlsplit(account.endpoint)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._account = account
        self._service = service
        self._target = target
        self._keys: dict[str, bytes] = {}

    async def __aenter__(self) -> LightClient:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=2**22)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self._writer.close()

    async def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """The answer of one operation."""
        self._writer.write(self._signed(operation, orjson.dumps(request)))
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        body = await self._reader.readexactly(size)
        status = head.split(b" ", 2)[1]
        if status != b"200":
            raise Refused(f"{status.decode()} {body[:300].decode()}")
        return orjson.loads(body) if body else {}

    def _signed(self, operation: str, body: bytes) -> bytes:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        host, target = f"{self._host}:{self._port}", f"{self._target}.{operation}"
        headers = f"host:{host}\nx-amz-date:{stamp}\nx-amz-target:{target}\n"
        canonical = f"POST\n/\n\n{headers}\n{_SIGNED}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{stamp[:8]}/us-east-1/{self._service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        if stamp[:8] not in self._keys:
            self._keys[stamp[:8]] = signing_key(self._account.secret_access_key, stamp[:8], "us-east-1", self._service)
        signature = hmac.digest(self._keys[stamp[:8]], text.encode(), "sha256").hex()
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={self._account.access_key_id}/{scope}, SignedHeaders={_SIGNED}, "
            f"Signature={signature}"
        )
        return (
            f"POST / HTTP/1.1\r\nhost: {host}\r\nx-amz-date: {stamp}\r\nx-amz-target: {target}\r\n"
            f"authorization: {authorization}\r\ncontent-type: application/x-amz-json-1.0\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body
