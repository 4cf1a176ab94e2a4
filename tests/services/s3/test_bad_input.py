"""What clients get wrong on their way: bodies that break off, lie about their length or their digests, or never end.

Each gets the right error, and leaves neither a file nor an open one behind.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud

LARGE = 3_000_000
MANY = 300
SECONDS = 40


def opened(cloud: Cloud) -> list[str]:
    """The blobs in the making that gateways hold open."""
    found = []
    for process in cloud.processes():
        if process["name"].startswith("gateway"):
            for link in Path(f"/proc/{process['pid']}/fd").iterdir():
                try:
                    target = str(link.readlink())
                except OSError:
                    continue
                if "/blobs/.incoming" in target:
                    found.append(target)
    return found


def incoming(cloud: Cloud) -> set[Path]:
    """The files of blobs in the making."""
    return set((cloud.home / "blobs").glob(".incoming*"))


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether something becomes so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture
def nothing_left(cloud: Cloud) -> Iterator[None]:
    before = incoming(cloud)
    yield
    assert within(SECONDS, lambda: not incoming(cloud) - before)
    assert within(5, lambda: not set(opened(cloud)) - {str(path) for path in before})


@contextmanager
def sent(s3: Any, bucket: str, headers: dict[str, str], body: bytes) -> Iterator[socket.socket]:
    """A connection on which a signed PUT was sent, with a body that need not be what the headers say."""
    named = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", **headers}
    request = AWSRequest("PUT", f"{s3.meta.endpoint_url}/{bucket}/k", headers=named)
    SigV4Auth(s3._request_signer._credentials, "s3", "us-east-1").add_auth(request)
    url = urlsplit(request.url)
    lines = [f"PUT {url.path} HTTP/1.1", f"Host: {url.netloc}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    with socket.create_connection((url.hostname or "", url.port or 0)) as connection:
        connection.settimeout(SECONDS)
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        yield connection


def answer(connection: socket.socket) -> str:
    """All that comes until the other side closes, or pauses."""
    found = b""
    while b"</Error>" not in found and (data := connection.recv(65536)):
        found += data
    return found.decode()


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("size", [10, LARGE])
def test_a_body_that_breaks_off_is_no_object(s3: Any, bucket: str, size: int) -> None:
    with sent(s3, bucket, {"Content-Length": str(2 * size)}, os.urandom(size)):
        pass
    time.sleep(0.5)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-MD5": "XUFAKrxLKna5cZ2REBfFkg=="}, "BadDigest"),
        ({"Content-MD5": "short"}, "InvalidDigest"),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, "BadDigest"),
        ({"x-amz-checksum-sha256": "AAAAAA=="}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="}, "InvalidRequest"),
        ({"x-amz-content-sha256": "0" * 64}, "XAmzContentSHA256Mismatch"),
        ({"Content-Length": str(6 * 1024**3)}, "EntityTooLarge"),
    ],
)
@pytest.mark.parametrize("size", [10, LARGE])
def test_a_body_that_is_not_what_was_said(
    s3: Any, bucket: str, size: int, headers: dict[str, str], expected: str
) -> None:
    with sent(s3, bucket, {"Content-Length": str(size), **headers}, os.urandom(size)) as connection:
        assert f"<Code>{expected}</Code>" in answer(connection)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.usefixtures("nothing_left")
def test_what_follows_a_body_is_not_part_of_it(s3: Any, bucket: str) -> None:
    with sent(s3, bucket, {"Content-Length": "3"}, b"abcdef") as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        while connection.recv(65536):
            pass
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"abc"


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("framing", "expected"),
    [
        (b"3\r\nabc\r\n0\r\n\r\n", "IncompleteBody"),  # fewer bytes than announced
        (b"20\r\n" + bytes(32) + b"\r\n0\r\n\r\n", "IncompleteBody"),  # more
        (b"xyz\r\n", "IncompleteBody"),  # no framing at all
    ],
)
def test_chunks_that_lie(s3: Any, bucket: str, framing: bytes, expected: str) -> None:
    headers = {
        "Content-Length": str(len(framing)),
        "Content-Encoding": "aws-chunked",
        "x-amz-decoded-content-length": "10",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    }
    with sent(s3, bucket, headers, framing) as connection:
        assert f"<Code>{expected}</Code>" in answer(connection)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.usefixtures("nothing_left")
def test_others_are_served_beside_uploads_that_stand_still(cloud: Cloud, s3: Any, bucket: str) -> None:
    with ExitStack() as held:
        for _ in range(MANY):
            held.enter_context(sent(s3, bucket, {"Content-Length": str(2 * LARGE)}, bytes(40_000)))
        began = time.monotonic()
        s3.put_object(Bucket=bucket, Key="other", Body=os.urandom(LARGE))
        assert len(s3.get_object(Bucket=bucket, Key="other")["Body"].read()) == LARGE
        assert time.monotonic() - began < SECONDS
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["other"]


def test_names_that_the_database_cannot_hold(cloud: Cloud, account: Account, s3: Any, bucket: str) -> None:
    """They are refused before anything asks Postgres, and no traceback is logged."""
    before = sum(path.read_text(errors="replace").count('"traceback"') for path in (cloud.home / "logs").glob("gate*"))
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=300)
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        connection.settimeout(SECONDS)
        connection.sendall(f"GET /a%00b/k HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        assert "<Code>InvalidBucketName</Code>" in answer(connection)
    with pytest.raises(ClientError) as upload:
        s3.upload_part(Bucket=bucket, Key="k", UploadId="a\0b", PartNumber=1, Body=b"")
    assert code_of(upload) == "NoSuchUpload"
    sqs = account.client("sqs")
    with pytest.raises(ClientError) as queue:
        sqs.get_queue_url(QueueName="a\0b")
    assert code_of(queue) in ("AWS.SimpleQueueService.NonExistentQueue", "InvalidParameterValue")
    with pytest.raises(ClientError):
        sqs.send_message(QueueUrl=f"{account.endpoint}/{account.id}/a%00b", MessageBody="x")
    s3.put_object(Bucket=bucket, Key="a\0b", Body=b"a key may be anything")
    assert s3.get_object(Bucket=bucket, Key="a\0b")["Body"].read() == b"a key may be anything"
    after = sum(path.read_text(errors="replace").count('"traceback"') for path in (cloud.home / "logs").glob("gate*"))
    assert after == before
