"""The malformed requests against a running cloud, signed with a real key: no 5xx but 501, no hang, no traceback."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from controlplane.access import sigv4
from controlplane.core.http import HttpRequest
from controlplane.wire.index import Index
from tests.cloud import Account
from tests.wire import malformed

CONNECTIONS = 8
SLOWEST = 10.0
"""Seconds: an operation that is valid after all may do real work, on a busy machine."""
LEAST = 20_000
UNREAD = 16 * 1024
"""Bytes of a body that a server always takes before it closes the connection."""


@dataclass
class Answers:
    """Counts by status, and what must not be."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


async def test_a_running_cloud_survives_malformed_requests(index: Index, account: Account) -> None:
    answers = Answers()
    waiting = iter(malformed.requests(index))
    await asyncio.gather(*(_send_all(waiting, account, answers) for _ in range(CONNECTIONS)))
    print(dict(answers.statuses.most_common()), "by status; 0 is a connection reset")
    assert answers.wrong[:20] == []
    assert answers.statuses.total() >= LEAST
    assert account.client("sts").get_caller_identity()["Account"] == account.id


async def _send_all(waiting: object, account: Account, answers: Answers) -> None:
    for name, request in waiting:  # type: ignore[attr-defined]
        raw = malformed.over_http(_signed(request, account))
        if raw is None:
            continue
        started = time.perf_counter()
        try:
            async with asyncio.timeout(SLOWEST):
                status, body = await _exchange(account.endpoint, raw)
        except ConnectionResetError:
            # An upload that is refused before it was read ends like this, when it is too long for the socket's buffer.
            answers.statuses[0] += 1
            if len(request.body) < UNREAD:
                answers.wrong.append(f"{name}: connection reset")
            continue
        except (TimeoutError, OSError, asyncio.IncompleteReadError, ValueError) as error:
            answers.wrong.append(f"{name}: {type(error).__name__} after {time.perf_counter() - started:.1f} s")
            continue
        answers.statuses[status] += 1
        if (status >= 500 and status != 501) or b"Traceback" in body:
            answers.wrong.append(f"{name}: {status} {body[:200]!r}")


async def _exchange(endpoint: str, raw: bytes) -> tuple[int, bytes]:
    where = urlsplit(endpoint)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        writer.write(raw)
        with contextlib.suppress(ConnectionResetError):
            await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), await reader.read()
    finally:
        writer.close()


def _signed(request: HttpRequest, account: Account) -> HttpRequest:
    """With a true signature, where the request has one at all: what is malformed must get past the door."""
    given = request.headers.get("authorization", "")
    if "Signature=0" not in given or "/us-east-1/" not in given:
        return request
    service = given.partition("/us-east-1/")[2].partition("/")[0]
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    payload = hashlib.sha256(request.body).hexdigest()
    headers = {**request.headers, "x-amz-date": stamp, "x-amz-content-sha256": payload}
    del headers["authorization"]
    request = HttpRequest(request.method, request.raw_path, request.query_string, headers, request.body)
    names = tuple(sorted(name for name in headers if name == "host" or name.startswith("x-amz-")))
    signature = sigv4.Signature(
        access_key_id=account.access_key_id,
        date=stamp[:8],
        region="us-east-1",
        service=service,
        terminator=sigv4.TERMINATOR,
        timestamp=stamp,
        signed_headers=names,
        signature="",
        token=None,
    )
    key = sigv4.signing_key(account.secret_access_key, stamp[:8], "us-east-1", service)
    signed = sigv4.sign(key, signature, sigv4.canonical_request(request, signature, payload))
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={account.access_key_id}/{signature.scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signed}"
    )
    return request
