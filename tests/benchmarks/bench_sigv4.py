"""Time of one warm signature check, from headers to principal. Run as a script; prints one line a variant."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

from botocore.auth import S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from controlplane.access.credentials import Authenticator
from controlplane.access.principals import Credential, Principals
from controlplane.access.recorder import Recorder
from controlplane.core.http import HttpRequest
from controlplane.core.principal import Principal
from controlplane.state.sealing import Sealer

BUDGET = 60e-6
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class NoNotes:
    """Stands for the recorder, which only fills a dictionary here."""

    def used(self, principal: Principal, region: str, service: str) -> None:
        """Note nothing."""


class OneKey:
    """Stands for a warm cache of principals."""

    def __init__(self) -> None:
        root = Principal("root", "111111111111", "arn:aws:iam::111111111111:root", "111111111111", "", KEY)
        self._credential = Credential(root, SECRET)

    async def credential(self, access_key_id: str) -> Credential:
        return self._credential


def requests() -> dict[str, tuple[HttpRequest, Any]]:
    """Variants by name, each with its route."""
    body = b"Action=SendMessage&QueueUrl=http%3A%2F%2F127.0.0.1%3A4566%2F1%2Fq&MessageBody=hello&Version=2012-11-05"
    header = AWSRequest(
        "POST", "http://127.0.0.1:4566/", data=body, headers={"Content-Type": "application/x-amz-json-1.0"}
    )
    SigV4Auth(Credentials(KEY, SECRET), "sqs", "us-east-1").add_auth(header)
    query = AWSRequest("GET", "http://127.0.0.1:4566/bucket/a/key.txt?response-content-type=text%2Fplain")
    S3SigV4QueryAuth(Credentials(KEY, SECRET), "s3", "us-east-1").add_auth(query)
    found = {}
    for name, signed, service, protocol in (("header", header, "sqs", "json"), ("presigned", query, "s3", "rest-xml")):
        prepared = signed.prepare()
        parts = urlsplit(prepared.url)
        headers = {key.lower(): str(value) for key, value in prepared.headers.items()} | {"host": parts.netloc}
        request = HttpRequest(
            prepared.method, parts.path.encode(), parts.query.encode(), headers, cast(bytes, prepared.body or b"")
        )
        found[name] = (
            request,
            SimpleNamespace(service=SimpleNamespace(name=service, signing_name=service), protocol=protocol),
        )
    return found


async def measure(request: HttpRequest, route: Any, repeat: int = 500) -> float:
    """CPU seconds of one check, the best of twenty rounds."""
    authenticator = Authenticator(
        cast(Principals, OneKey()), Sealer(bytes(32)), ["us-east-1"], cast(Recorder, NoNotes())
    )
    await authenticator.authenticate(request, route)
    rounds = []
    for _ in range(20):
        started = time.process_time()
        for _ in range(repeat):
            await authenticator.authenticate(request, route)
        rounds.append((time.process_time() - started) / repeat)
    return min(rounds)


def main() -> None:
    """Print the time of each variant and its budget."""
    for name, (request, route) in requests().items():
        seconds = asyncio.run(measure(request, route))
        print(f"signature check, {name}, warm: {seconds * 1e6:.1f} µs (budget {BUDGET * 1e6:.0f} µs)")


if __name__ == "__main__":
    main()
