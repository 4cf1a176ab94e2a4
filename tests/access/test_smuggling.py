"""Signed requests tampered with on the wire, as raw bytes to a running gateway. None may pass as the one signed."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from controlplane.settings import Settings, child_environment
from tests.cloud import Account, Cloud
from tests.services.iam.conftest import user_with_key
from tests.services.iam.test_identities import refused

Header = tuple[str, str]


def signed(account: Account, body: str = "Action=GetCallerIdentity&Version=2011-06-15", **more: str) -> list[Header]:
    """The headers of a signed STS call."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", **more}
    request = AWSRequest("POST", account.endpoint + "/", data=body.encode(), headers=headers)
    SigV4Auth(Credentials(account.access_key_id, account.secret_access_key), "sts", "us-east-1").add_auth(request)
    host = urlsplit(account.endpoint).netloc
    return [("Host", host), *((name, str(value)) for name, value in request.headers.items())]


def send(
    account: Account, headers: list[Header], body: bytes, target: str = "/", method: str = "POST"
) -> tuple[int, str]:
    """Send exactly these headers; status and body of the answer, 0 when the server hung up."""
    parts = urlsplit(account.endpoint)
    if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
        headers = [*headers, ("Content-Length", str(len(body)))]
    lines = [
        f"{method} {target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers),
        "Connection: close",
        "",
        "",
    ]
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + body)
        response = http.client.HTTPResponse(connection)
        try:
            response.begin()
        except (http.client.HTTPException, ConnectionError):
            return 0, ""
        return response.status, response.read().decode()


BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
OTHER = b"Action=GetSessionToken&Version=2011-06-15"


def test_untouched(account: Account) -> None:
    status, text = send(account, signed(account), BODY)
    assert (status, f"<Account>{account.id}</Account>" in text) == (200, True)


def _swap(headers: list[Header], name: str, value: str) -> list[Header]:
    return [(key, value if key.lower() == name else old) for key, old in headers]


def _get(headers: list[Header], name: str) -> str:
    return next(value for key, value in headers if key.lower() == name)


def tampered(account: Account) -> dict[str, tuple[list[Header], bytes, str, str]]:
    """Requests by the trick they try."""
    good = signed(account)
    authorization, date = _get(good, "authorization"), _get(good, "x-amz-date")
    scope = re.search(r"Credential=([^,]+)", authorization)
    assert scope is not None
    chunked = [*good, ("Transfer-Encoding", "chunked")]
    return {
        "another body": (good, OTHER, "/", "POST"),
        "action in the query": (good, BODY, "/?Action=GetSessionToken", "POST"),
        "action in the query twice": (good, BODY, "/?Action=GetCallerIdentity&Action=GetSessionToken", "POST"),
        "another path": (good, BODY, "/x", "POST"),
        "a path that normalizes to the same": (good, OTHER, "/./", "POST"),
        "another method": (good, BODY, "/", "PUT"),
        "two authorizations": ([*good, ("Authorization", authorization)], BODY, "/", "POST"),
        "two dates": ([*good, ("X-Amz-Date", date)], BODY, "/", "POST"),
        "two hosts": ([*good, ("Host", "elsewhere")], BODY, "/", "POST"),
        "another host": (_swap(good, "host", "sts.amazonaws.com"), BODY, "/", "POST"),
        "a target": ([*good, ("X-Amz-Target", "DynamoDB_20120810.ListTables")], BODY, "/", "POST"),
        "a token": ([*good, ("X-Amz-Security-Token", "x")], BODY, "/", "POST"),
        "an unsigned amz header": ([*good, ("X-Amz-Anything", "x")], BODY, "/", "POST"),
        "a payload hash": ([*good, ("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")], OTHER, "/", "POST"),
        "no signature": ([item for item in good if item[0] != "Authorization"], BODY, "/", "POST"),
        "an empty signature": (
            _swap(good, "authorization", re.sub("Signature=.*", "Signature=", authorization)),
            BODY,
            "/",
            "POST",
        ),
        "host not signed": (_swap(good, "authorization", authorization.replace(";host", "")), BODY, "/", "POST"),
        "signature in the query too": (good, BODY, "/?X-Amz-Signature=00", "POST"),
        "another algorithm": (
            _swap(good, "authorization", authorization.replace("HMAC-SHA256", "HMAC-SHA1")),
            BODY,
            "/",
            "POST",
        ),
        "another service": (_swap(good, "authorization", authorization.replace("/sts/", "/iam/")), BODY, "/", "POST"),
        "another region": (
            _swap(good, "authorization", authorization.replace("us-east-1", "eu-west-1")),
            BODY,
            "/",
            "POST",
        ),
        "another date": (
            _swap(good, "x-amz-date", date[:-2] + "0Z" if date[-2] != "0" else date[:-2] + "1Z"),
            BODY,
            "/",
            "POST",
        ),
        "a broken chunked body": (chunked, BODY, "/", "POST"),
        "a header line folded": (_swap(good, "x-amz-date", date + "\r\n folded"), BODY, "/", "POST"),
        "a header with a blank": ([*good, ("Authorization ", authorization)], BODY, "/", "POST"),
    }


TRICKS = 25


@pytest.mark.parametrize("number", range(TRICKS))
def test_tampered(account: Account, number: int) -> None:
    tricks = tampered(account)
    assert len(tricks) == TRICKS
    name = list(tricks)[number]
    headers, body, target, method = tricks[name]
    status, text = send(account, headers, body, target, method)
    assert status == 0 or 400 <= status < 500, (name, status, text)
    assert "Traceback" not in text


def test_a_body_compressed_on_the_way(account: Account) -> None:
    import gzip

    headers = [*signed(account), ("Content-Encoding", "gzip")]
    status, _ = send(account, headers, gzip.compress(OTHER))
    assert 400 <= status < 500


def test_a_signed_get_with_everything_in_the_query(account: Account) -> None:
    request = AWSRequest("GET", f"{account.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15")
    SigV4Auth(Credentials(account.access_key_id, account.secret_access_key), "sts", "us-east-1").add_auth(request)
    headers = [("Host", urlsplit(account.endpoint).netloc), *((n, str(v)) for n, v in request.headers.items())]
    status, text = send(account, headers, b"", "/?Action=GetCallerIdentity&Version=2011-06-15", "GET")
    assert status == 200, text


def test_explain_tells_of_a_denial(account: Account, cloud: Cloud) -> None:
    ann = user_with_key(account, "ann")
    client = ann.client("iam")
    seen: list[Any] = []
    client.meta.events.register("after-call", lambda parsed, **_: seen.append(parsed["ResponseMetadata"]["RequestId"]))
    assert refused(client.list_users)[0] == "AccessDenied"
    command = [sys.executable, "-m", "controlplane.cli", "explain", seen[0]]
    environment = child_environment(**Settings(home=cloud.home).environment())

    def told() -> str:
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False).stdout

    cloud.wait_until(lambda: "iam:ListUsers" in told(), 10)
    text = told()
    assert f"arn:aws:iam::{account.id}:user/ann" in text
    assert "no identity-based policy allows the iam:ListUsers action" in text


def test_uses_of_keys_are_noted(account: Account, cloud: Cloud) -> None:
    iam = account.client("iam")
    ann = user_with_key(account, "ann")
    assert iam.get_access_key_last_used(AccessKeyId=ann.access_key_id)["AccessKeyLastUsed"]["ServiceName"] == "N/A"
    ann.client("sts").get_caller_identity()

    def used() -> bool:
        shown = iam.get_access_key_last_used(AccessKeyId=ann.access_key_id)
        return shown["UserName"] == "ann" and shown["AccessKeyLastUsed"]["ServiceName"] == "sts"

    cloud.wait_until(used, 10)
