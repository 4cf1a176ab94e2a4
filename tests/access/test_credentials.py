"""Requests signed by botocore against the authenticator, over a real database; and what a forger would try."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from controlplane.access import accounts, keys, sessions
from controlplane.access.accounts import Account
from controlplane.access.credentials import Authenticator
from controlplane.access.principals import Principals, announce
from controlplane.access.recorder import Recorder
from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest
from controlplane.core.principal import Principal
from controlplane.state.database import Database
from controlplane.state.listen import Listener
from controlplane.state.sealing import Sealer
from tests.access.test_sigv4 import as_sent

HOST = "127.0.0.1:4566"
PROTOCOLS = {"sts": "query", "dynamodb": "json", "lambda": "rest-json", "ec2": "ec2", "s3": "rest-xml"}


@dataclass
class Door:
    """An authenticator with an account and a listening cache."""

    authenticator: Authenticator
    principals: Principals
    listener: Listener
    database: Database
    sealer: Sealer
    account: Account
    now: float = 0.0

    async def enter(self, request: HttpRequest, service: str = "sts") -> Principal:
        route: Any = SimpleNamespace(
            service=SimpleNamespace(name=service, signing_name=service), protocol=PROTOCOLS[service]
        )
        return await self.authenticator.authenticate(request, route)

    async def refused(self, request: HttpRequest, service: str = "sts") -> str:
        with pytest.raises(AwsError) as caught:
            await self.enter(request, service)
        return caught.value.code

    def sign(
        self, service: str = "sts", credentials: Credentials | None = None, body: bytes = b"x=1", **headers: str
    ) -> HttpRequest:
        own = Credentials(self.account.access_key_id, self.account.secret_access_key)
        request = AWSRequest("POST", f"http://{HOST}/path", data=body, headers=headers)
        signer = S3SigV4Auth if service == "s3" else SigV4Auth
        signer(credentials or own, service, "us-east-1").add_auth(request)
        return as_sent(request.prepare())

    def presign(self, service: str = "s3", expires: int = 60) -> HttpRequest:
        request = AWSRequest("GET", f"http://{HOST}/bucket/key")
        signer = S3SigV4QueryAuth if service == "s3" else SigV4QueryAuth
        own = Credentials(self.account.access_key_id, self.account.secret_access_key)
        signer(own, service, "us-east-1", expires).add_auth(request)
        return as_sent(request.prepare())


@pytest.fixture
async def door(database: Database, database_url: str, sealer: Sealer) -> AsyncIterator[Door]:
    listener = Listener(database_url)
    principals = Principals(database, sealer, listener)
    listener.start()
    while not listener.connected:
        await asyncio.sleep(0.01)
    async with database.unit() as db:
        account = await accounts.create(db, sealer, f"test {secrets.token_hex(6)}")
    made = Door(None, principals, listener, database, sealer, account)  # type: ignore[arg-type]
    made.authenticator = Authenticator(
        principals, sealer, ["us-east-1", "eu-west-1"], Recorder(database), lambda: time.time() + made.now
    )
    yield made
    await listener.stop()


@pytest.mark.parametrize("service", list(PROTOCOLS))
async def test_root_of_the_account_enters(door: Door, service: str) -> None:
    principal = await door.enter(door.sign(service), service)
    assert principal.kind == "root"
    assert principal.arn == f"arn:aws:iam::{door.account.id}:root"
    assert await door.enter(door.sign(service), service) == principal


@pytest.mark.parametrize("service", ["s3", "sts"])
async def test_presigned(door: Door, service: str) -> None:
    assert (await door.enter(door.presign(service), service)).kind == "root"


_JSON_MISMATCH, _JSON_UNKNOWN = "InvalidSignatureException", "UnrecognizedClientException"
_JSON_INCOMPLETE, _S3_MALFORMED = "IncompleteSignatureException", "AuthorizationHeaderMalformed"
# The codes of sts, dynamodb and lambda, ec2, s3.
WORDS = {
    "unknown key": ("InvalidClientTokenId", _JSON_UNKNOWN, "AuthFailure", "InvalidAccessKeyId"),
    "wrong secret": ("SignatureDoesNotMatch", _JSON_MISMATCH, "AuthFailure", "SignatureDoesNotMatch"),
    "too old": ("SignatureDoesNotMatch", _JSON_MISMATCH, "RequestExpired", "RequestTimeTooSkewed"),
    "too early": ("SignatureDoesNotMatch", _JSON_MISMATCH, "RequestExpired", "RequestTimeTooSkewed"),
    "bad token": ("InvalidClientTokenId", _JSON_UNKNOWN, "AuthFailure", "InvalidToken"),
    "other service": ("SignatureDoesNotMatch", _JSON_MISMATCH, "AuthFailure", _S3_MALFORMED),
    "half a header": ("IncompleteSignature", _JSON_INCOMPLETE, "IncompleteSignature", _S3_MALFORMED),
}
_COLUMN = {"sts": 0, "dynamodb": 1, "lambda": 1, "ec2": 2, "s3": 3}


@pytest.mark.parametrize("problem", list(WORDS))
@pytest.mark.parametrize("service", list(PROTOCOLS))
async def test_every_family_has_its_words(door: Door, service: str, problem: str) -> None:
    credentials = {
        "unknown key": Credentials("AKIAUNKNOWN", "x"),
        "wrong secret": Credentials(door.account.access_key_id, "x"),
        "bad token": Credentials(door.account.access_key_id, door.account.secret_access_key, "forged"),
    }.get(problem)
    request = door.sign("sqs" if problem == "other service" else service, credentials)
    if problem == "half a header":
        request.headers = {**request.headers, "authorization": request.headers["authorization"].split(", Sig")[0]}
    if problem == "other service" and service == "s3":
        request.headers = {**request.headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    door.now = {"too old": 901.0, "too early": -905.0}.get(problem, 0.0)
    assert await door.refused(request, service) == WORDS[problem][_COLUMN[service]]


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ("sts", "MissingAuthenticationToken"),
        ("dynamodb", "MissingAuthenticationTokenException"),
        ("lambda", "MissingAuthenticationTokenException"),
        ("ec2", "MissingParameter"),
    ],
)
async def test_unsigned(door: Door, service: str, code: str) -> None:
    assert await door.refused(HttpRequest("POST", b"/", b"", {"host": HOST}), service) == code


async def test_unsigned_to_s3_is_anonymous(door: Door) -> None:
    assert (await door.enter(HttpRequest("GET", b"/b/k", b"", {"host": HOST}), "s3")).kind == "anonymous"


async def test_within_the_skew(door: Door) -> None:
    for seconds in (890.0, -890.0):
        door.now = seconds
        assert (await door.enter(door.sign())).kind == "root"


async def test_a_presigned_url_ends(door: Door) -> None:
    request = door.presign(expires=60)
    door.now = 61
    assert await door.refused(request, "s3") == "AccessDenied"


async def test_a_region_that_is_not_ours(door: Door) -> None:
    request = AWSRequest("POST", f"http://{HOST}/", data=b"")
    own = Credentials(door.account.access_key_id, door.account.secret_access_key)
    SigV4Auth(own, "sts", "mars-north-1").add_auth(request)
    assert await door.refused(as_sent(request.prepare())) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("change", ["body", "query", "path", "method", "target", "token", "host"])
async def test_what_was_changed_on_the_way_is_refused(door: Door, change: str) -> None:
    request = door.sign(**{"X-Amz-Target": "A.B"})
    headers = dict(request.headers)
    if change == "body":
        request.body = b"x=2"
    elif change == "query":
        request.query_string = b"Action=Other"
    elif change == "path":
        request.raw_path = b"/other"
    elif change == "method":
        request.method = "GET"
    elif change == "target":
        headers["x-amz-target"] = "A.C"
    elif change == "token":
        headers["x-amz-security-token"] = "t"
    elif change == "host":
        headers["host"] = "elsewhere"
    request.headers = headers
    assert await door.refused(request) in ("SignatureDoesNotMatch", "InvalidClientTokenId")


async def test_a_false_payload_hash_is_not_believed(door: Door) -> None:
    """A client that signs a hash and sends another body: only S3 believes the header, and checks it."""
    request = door.sign("s3")
    request.body = b"other"
    assert await door.refused(request, "s3") == "XAmzContentSHA256Mismatch"
    request = door.sign("sts", **{"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    request.body = b"other"
    assert await door.refused(request) == "SignatureDoesNotMatch"


async def test_s3_needs_a_payload_hash(door: Door) -> None:
    request = door.sign("s3")
    request.headers = {name: value for name, value in request.headers.items() if name != "x-amz-content-sha256"}
    assert await door.refused(request, "s3") == "InvalidRequest"


async def test_a_streamed_body_is_hashed_to_its_end(door: Door) -> None:
    async def stream(body: bytes) -> AsyncIterator[bytes]:
        yield body[:1]
        yield body[1:]

    for body, good in ((b"x=1", True), (b"x=2", False)):
        request = door.sign("s3")
        request.body, request.stream = b"", stream(body)
        await door.enter(request, "s3")
        assert request.stream is not None
        if good:
            assert b"".join([part async for part in request.stream]) == body
            continue
        with pytest.raises(AwsError) as caught:
            _ = [part async for part in request.stream]
        assert caught.value.code == "XAmzContentSHA256Mismatch"


@pytest.mark.parametrize(
    "given",
    ["AWS4-ECDSA-P256-SHA256 Credential=x", "Bearer x", "AWS a:b", "Negotiate", "\x00", "é", "AWS4-HMAC-SHA256 "],
)
async def test_other_schemes(door: Door, given: str) -> None:
    request = door.sign()
    request.headers = {**request.headers, "authorization": given}
    assert await door.refused(request) in ("InvalidRequest", "IncompleteSignature")


@pytest.mark.parametrize(
    "value", ["20261399T996199Z", "2026", "", "99999999T999999Z", "00000000T000000Z", "²0261121T120000Z"]
)
async def test_impossible_dates(door: Door, value: str) -> None:
    request = door.sign()
    scope = request.headers["authorization"]
    request.headers = {**request.headers, "x-amz-date": value, "authorization": scope.replace(scope[60:68], value[:8])}
    assert await door.refused(request) in ("IncompleteSignature", "SignatureDoesNotMatch")


@pytest.mark.parametrize("signature", ["", "0" * 64, "é" * 64, "0" * 10_000, "\udc80"])
async def test_impossible_signatures(door: Door, signature: str) -> None:
    request = door.sign()
    head = request.headers["authorization"].rpartition("=")[0]
    request.headers = {**request.headers, "authorization": f"{head}={signature}"}
    assert await door.refused(request) in ("SignatureDoesNotMatch", "IncompleteSignature")


def _session(door: Door, seconds: int = 900, **more: Any) -> sessions.TemporaryCredentials:
    role = {"account_id": door.account.id, "name": "app", "id": "AROA1"}
    made, _, _ = sessions.issue_for_role(
        door.sealer, role, "web", sessions.starting(seconds, issuer_id="AROA1", **more)
    )
    return made


def _botocore(made: sessions.TemporaryCredentials) -> Credentials:
    return Credentials(made.access_key_id, made.secret_access_key, made.token)


async def test_a_session_enters_until_it_ends(door: Door) -> None:
    made = _session(door, 900, policies=['{"Statement":[]}'], tags={"team": "red"})
    principal = await door.enter(door.sign(credentials=_botocore(made)))
    assert principal.arn == f"arn:aws:sts::{door.account.id}:assumed-role/app/web"
    assert principal.session["tags"] == {"team": "red"}
    assert keys.account_of(made.access_key_id) == door.account.id
    request = door.sign(credentials=_botocore(made))
    door.now = 899
    assert (await door.enter(request)).kind == "assumed-role"
    made = _session(door, 1)
    door.now = 2
    assert await door.refused(door.sign(credentials=_botocore(made))) == "ExpiredToken"


async def test_forged_tokens(door: Door) -> None:
    made, other = _session(door), _session(door)
    raw = bytearray(base64.b64decode(made.token))
    raw[-1] ^= 1
    forged = [
        replace(made, token=other.token),
        replace(made, access_key_id=other.access_key_id),
        replace(made, token=base64.b64encode(bytes(raw)).decode()),
        replace(made, token=made.token[:-4]),
        replace(made, token="A" * 100_000),
        replace(made, token="é"),
        replace(made, token=base64.b64encode(door.sealer.seal("access-key", b"x", made.access_key_id)).decode()),
    ]
    for credentials in forged:
        assert await door.refused(door.sign(credentials=_botocore(credentials))) == "InvalidClientTokenId"


async def test_a_session_key_without_its_token(door: Door) -> None:
    made = _session(door)
    credentials = Credentials(made.access_key_id, made.secret_access_key)
    assert await door.refused(door.sign(credentials=credentials)) == "InvalidClientTokenId"


async def test_a_deleted_key_is_refused_at_once_here_and_soon_elsewhere(door: Door, database_url: str) -> None:
    elsewhere_listener = Listener(database_url)
    elsewhere = Principals(door.database, door.sealer, elsewhere_listener)
    elsewhere_listener.start()
    while not elsewhere_listener.connected:
        await asyncio.sleep(0.01)
    try:
        key = door.account.access_key_id
        assert await elsewhere.credential(key) is not None
        await door.enter(door.sign())
        async with door.database.unit() as db:
            await db.execute("UPDATE access_keys SET status = 'Inactive' WHERE id = $1", key)
            await announce(db, door.account.id)
        assert await door.refused(door.sign()) == "InvalidClientTokenId"
        deadline = time.monotonic() + 1
        while await elsewhere.credential(key) is not None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
    finally:
        await elsewhere_listener.stop()


async def test_without_the_listening_connection_nothing_is_cached(door: Door) -> None:
    await door.enter(door.sign())
    await door.listener.stop()
    door.listener.connected = False
    async with door.database.unit() as db:
        await db.execute("UPDATE access_keys SET status = 'Inactive' WHERE id = $1", door.account.access_key_id)
    door.principals.forget_all()
    assert await door.refused(door.sign()) == "InvalidClientTokenId"
    async with door.database.unit() as db:
        await db.execute("UPDATE access_keys SET status = 'Active' WHERE id = $1", door.account.access_key_id)
    assert (await door.enter(door.sign())).kind == "root"


async def test_secrets_are_not_in_the_database_in_clear(door: Door) -> None:
    rows = await door.database.fetch("SELECT secret FROM access_keys WHERE id = $1", door.account.access_key_id)
    assert door.account.secret_access_key.encode() not in rows[0]["secret"]


def test_key_ids_carry_their_account() -> None:
    for account in ("000000000000", "123456789012", "999999999999"):
        for prefix in (keys.LONG_TERM, keys.TEMPORARY):
            made = keys.new_id(prefix, account)
            assert len(made) == 20
            assert made.startswith(prefix)
            assert keys.account_of(made) == account
    for wrong in ("", "AKIA", "AKIAIOSFODNN7EXAMPLE", "AKIA" + "0" * 16, "x" * 20):
        with pytest.raises(ValueError, match="not an access key id"):
            keys.account_of(wrong)


async def test_a_blank_in_a_query_string_may_stand_as_a_form_writes_it(door: Door) -> None:
    request = AWSRequest("POST", f"http://{HOST}/", params={"Message": "two words"})
    own = Credentials(door.account.access_key_id, door.account.secret_access_key)
    SigV4Auth(own, "sts", "us-east-1").add_auth(request)
    sent = as_sent(request.prepare())
    sent.query_string = b"Message=two+words"
    assert (await door.enter(sent)).account_id == door.account.id
    sent.query_string = b"Message=two+swords"
    assert await door.refused(sent) == "SignatureDoesNotMatch"
