"""Who sent a request: checks its signature and finds the principal.

As at AWS, a signature is good for 15 minutes around its time, so within that window a captured request can be sent
again; what must not happen twice is guarded by client tokens and constraints, and TLS keeps requests from capture.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from controlplane.access import keys, sessions, sigv2, sigv4, x509_signatures
from controlplane.access.dialects import Dialect, Refusal, compared, dialect_of, refusal
from controlplane.access.principals import Credential, Principals
from controlplane.access.recorder import Recorder
from controlplane.access.sigv4 import Signature
from controlplane.core.errors import AwsError
from controlplane.core.http import HttpRequest, Signed
from controlplane.core.principal import ANONYMOUS, Principal
from controlplane.state.sealing import Sealer, SealError

if TYPE_CHECKING:
    from controlplane.wire.route import Route

SKEW = 15 * 60
_TOKENS = 4096
_PAYLOAD_HASH = "x-amz-content-sha256"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIGNED_STREAMS = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
_UNSIGNED_STREAM = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_UNREADABLE = {
    sigv4.TwoSchemes: Refusal.TWO_SCHEMES,
    sigv4.UnsupportedScheme: Refusal.UNSUPPORTED,
    sigv4.BadQueryParameter: Refusal.BAD_QUERY,
}


class Authenticator:
    """Turns a signed request into its principal. `regions` are those that may be signed for."""

    def __init__(
        self,
        principals: Principals,
        sealer: Sealer,
        regions: Collection[str],
        recorder: Recorder,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._principals = principals
        self._sealer = sealer
        self._regions = frozenset(regions)
        self._home_region = next(iter(regions), "")
        self._recorder = recorder
        self._clock = clock
        self._sessions: OrderedDict[tuple[str, str], Credential] = OrderedDict()

    async def authenticate(self, request: HttpRequest, route: Route, *, open_to_all: bool = False) -> Principal:
        """The caller, ANONYMOUS for a request without signature where S3 or the operation takes such.

        Raises AwsError in the words of the route's family.
        """
        dialect = dialect_of(route.service.name, route.protocol)
        if dialect is Dialect.S3 and (older := _version_2(request, dialect)) is not None:
            return await self._authenticate_older(older, request, route)
        try:
            signature = sigv4.read(request)
        except sigv4.SignatureProblem as problem:
            raise refusal(dialect, _UNREADABLE.get(type(problem), Refusal.UNREADABLE), str(problem)) from problem
        if signature is None:
            if open_to_all or dialect is Dialect.S3:
                return ANONYMOUS
            raise refusal(dialect, Refusal.MISSING)
        self._check_scope(signature, route.service.signing_name, dialect)
        self._check_time(signature, dialect)
        if dialect is Dialect.S3 and signature.presigned and _PAYLOAD_HASH not in signature.signed_headers:
            # S3 does not look at this one header of a link's request unless it was signed.
            request.headers = {name: value for name, value in request.headers.items() if name != _PAYLOAD_HASH}
        if unsigned := sigv4.unsigned_headers(request, signature):
            raise _not_signed(dialect, unsigned)
        credential = await self._credential(signature, dialect)
        self._check_signature(request, signature, credential, dialect)
        if signature.token is not None and await self._principals.is_closed(credential.principal.account_id):
            raise refusal(dialect, Refusal.UNKNOWN_KEY)
        if not await self._principals.may_use_region(credential.principal.account_id, signature.region):
            raise refusal(dialect, Refusal.UNKNOWN_KEY)
        self._recorder.used(credential.principal, signature.region, route.service.name)
        request.signed = Signed(sigv4.ALGORITHM, _place(signature), _moment(signature.timestamp))
        return credential.principal

    async def _authenticate_older(self, signature: sigv2.Signature, request: HttpRequest, route: Route) -> Principal:
        """The caller of a request with a signature of version 2, which names neither region nor service."""
        now = self._clock()
        if signature.presigned and signature.moment < now:
            error = refusal(Dialect.S3, Refusal.EXPIRED_URL)
            error.members = _ran_out(signature.moment, now)
            raise error
        if not signature.presigned and abs(signature.moment - now) > SKEW:
            raise refusal(Dialect.S3, Refusal.SKEWED)
        credential = await self._named(signature.access_key_id, signature.token, Dialect.S3)
        bucket = route.labels.get("Bucket", "")
        in_host = bool(bucket) and request.headers.get("host", "").startswith(f"{bucket}.")
        until = str(int(signature.moment)) if signature.presigned else None
        texts = sigv2.strings_to_sign(request, bucket if in_host else None, until)
        if not any(sigv4.equal(sigv2.sign(credential.secret, text), signature.signature) for text in texts):
            error = refusal(Dialect.S3, Refusal.MISMATCH)
            error.members = compared(signature, texts[0])
            raise error
        if signature.token is not None and await self._principals.is_closed(credential.principal.account_id):
            raise refusal(Dialect.S3, Refusal.UNKNOWN_KEY)
        self._recorder.used(credential.principal, "us-east-1", route.service.name)
        request.signed = Signed("AWS", _place(signature), None if signature.presigned else signature.moment)
        return credential.principal

    def authenticate_certificate(self, request: HttpRequest, route: Route) -> Principal:
        """Somebody of whom only the certificate is known, and that they hold its key. Raises AwsError."""
        dialect = dialect_of(route.service.name, route.protocol)
        try:
            proof = x509_signatures.read(request)
        except sigv4.SignatureProblem as problem:
            raise refusal(dialect, Refusal.UNREADABLE, str(problem)) from problem
        self._check_scope(proof.signature, route.service.signing_name, dialect)
        self._check_time(proof.signature, dialect)
        if unsigned := sigv4.unsigned_headers(request, proof.signature):
            raise _not_signed(dialect, unsigned)
        if not x509_signatures.is_right(request, proof):
            raise refusal(dialect, Refusal.MISMATCH)
        return replace(ANONYMOUS, session={"certificates": proof.certificates})

    def _check_scope(self, signature: Signature, service: str, dialect: Dialect) -> None:
        problem = ""
        if signature.terminator != sigv4.TERMINATOR:
            problem = (
                f"Credential should be scoped with a valid terminator: 'aws4_request', not '{signature.terminator}'. "
            )
        elif signature.service != service:
            problem = f"Credential should be scoped to correct service: '{service}'. "
        elif signature.region not in self._regions:
            if dialect is Dialect.S3 and not signature.presigned:
                raise self._wrong_region(signature)
            problem = "Credential should be scoped to a valid region. "
        elif signature.date != signature.timestamp[:8]:
            problem = (
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                f"'{signature.date}' != '{signature.timestamp[:8]}', from '{signature.timestamp}'."
            )
        if problem:
            raise refusal(dialect, Refusal.WRONG_SCOPE, problem)

    def _wrong_region(self, signature: Signature) -> AwsError:
        message = (
            f"The authorization header is malformed; the region '{signature.region}' is wrong; expecting "
            f"'{self._home_region}'"
        )
        error = refusal(Dialect.S3, Refusal.WRONG_SCOPE, message)
        error.members = {"Region": self._home_region}
        return error

    def _check_time(self, signature: Signature, dialect: Dialect) -> None:
        try:
            signed_at = _moment(signature.timestamp)
        except ValueError as error:
            message = f"Date must be in ISO-8601 'basic format'. Got '{signature.timestamp}'."
            raise refusal(dialect, Refusal.UNREADABLE, message) from error
        now = self._clock()
        oldest = now - (SKEW if signature.expires is None else signature.expires)
        if signed_at < oldest:
            why = Refusal.EXPIRED_URL if signature.presigned else Refusal.SKEWED
            message = (
                f"Signature expired: {signature.timestamp} is now earlier than {_basic(oldest)} "
                f"({_basic(now)} - 15 min.)"
            )
            over = refusal(dialect, why, message)
            if dialect is Dialect.S3 and signature.presigned:
                over.members = {
                    "X-Amz-Expires": str(signature.expires),
                    **_ran_out(signed_at + (signature.expires or 0), now),
                }
            raise over
        if signed_at > now + SKEW:
            why = Refusal.EARLY_URL if signature.presigned else Refusal.SKEWED
            message = (
                f"Signature not yet current: {signature.timestamp} is still later than {_basic(now + SKEW)} "
                f"({_basic(now)} + 15 min.)"
            )
            raise refusal(dialect, why, message)

    async def _credential(self, signature: Signature, dialect: Dialect) -> Credential:
        return await self._named(signature.access_key_id, signature.token, dialect)

    async def _named(self, access_key_id: str, token: str | None, dialect: Dialect) -> Credential:
        if token is not None:
            return self._session(access_key_id, token, dialect)
        if access_key_id.startswith(keys.TEMPORARY):
            raise refusal(dialect, Refusal.UNKNOWN_KEY)
        found = await self._principals.credential(access_key_id)
        if found is None:
            raise refusal(dialect, Refusal.UNKNOWN_KEY)
        return found

    def _session(self, access_key_id: str, token: str, dialect: Dialect) -> Credential:
        known = access_key_id, token
        credential = self._sessions.get(known)
        if credential is None:
            try:
                principal = sessions.open_token(self._sealer, access_key_id, token)
            except SealError as error:
                raise refusal(dialect, Refusal.BAD_TOKEN) from error
            credential = Credential(principal, sessions.secret_of(self._sealer, access_key_id))
            if len(self._sessions) >= _TOKENS:
                self._sessions.popitem(last=False)
            self._sessions[known] = credential
        if sessions.is_expired(credential.principal, self._clock()):
            raise refusal(dialect, Refusal.EXPIRED_TOKEN)
        return credential

    def _check_signature(
        self, request: HttpRequest, signature: Signature, credential: Credential, dialect: Dialect
    ) -> None:
        payload = _payload_hash(request, signature, dialect)
        key = credential.signing_key(signature.date, signature.region, signature.service)
        canonical = sigv4.canonical_request(request, signature, payload)
        if not sigv4.equal(sigv4.sign(key, signature, canonical), signature.signature):
            error = refusal(dialect, Refusal.MISMATCH)
            if dialect is Dialect.S3:
                text = sigv4.string_to_sign(signature, canonical).encode("latin-1")
                error.members = {
                    **compared(signature, text),
                    "CanonicalRequest": canonical.decode("latin-1"),
                    "CanonicalRequestBytes": canonical.hex(" "),
                }
            raise error
        if payload in _SIGNED_STREAMS:
            request.chunk_verifier = sigv4.ChunkSignatures(key, signature)
        elif request.stream is not None and _SHA256.fullmatch(payload):
            request.stream = _Hashed(request.stream, payload, dialect)


def _place(signature: Signature | sigv2.Signature) -> str:
    return "REST-QUERY-STRING" if signature.presigned else "REST-HEADER"


def _version_2(request: HttpRequest, dialect: Dialect) -> sigv2.Signature | None:
    try:
        return sigv2.read(request)
    except sigv2.MalformedHeader as problem:
        raise refusal(dialect, Refusal.OLDER_HEADER, str(problem)) from problem
    except sigv4.SignatureProblem as problem:
        raise refusal(dialect, Refusal.UNREADABLE_OLDER, str(problem)) from problem


def _ran_out(end: float, now: float) -> dict[str, str]:
    """What S3 tells of a link that is over."""
    return {
        name: f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"
        for name, moment in (("Expires", end), ("ServerTime", now))
    }


def _payload_hash(request: HttpRequest, signature: Signature, dialect: Dialect) -> str:
    """What stands for the body in the canonical request.

    Only S3 lets clients leave the body out of the signature; elsewhere a header that says otherwise is not believed.
    """
    claimed = request.headers.get("x-amz-content-sha256")
    if dialect is Dialect.S3:
        if claimed is None:
            if signature.presigned:
                return sigv4.UNSIGNED_PAYLOAD
            raise refusal(dialect, Refusal.NO_PAYLOAD_HASH)
        if claimed in (sigv4.UNSIGNED_PAYLOAD, _UNSIGNED_STREAM, *_SIGNED_STREAMS):
            return claimed
    if request.stream is not None:
        if claimed is None or not (_SHA256.fullmatch(claimed) or claimed in (sigv4.UNSIGNED_PAYLOAD, *_SIGNED_STREAMS)):
            raise refusal(dialect, Refusal.NO_PAYLOAD_HASH)
        return claimed
    computed = hashlib.sha256(request.body).hexdigest() if request.body else sigv4.EMPTY_HASH
    if dialect is Dialect.S3 and claimed is not None and not hmac.compare_digest(claimed.encode(), computed.encode()):
        raise refusal(dialect, Refusal.PAYLOAD_MISMATCH)
    return computed


class _Hashed:
    """A streamed body whose hash is checked at its end; nothing of it may be kept when this raises."""

    def __init__(self, stream: AsyncIterator[bytes], expected: str, dialect: Dialect) -> None:
        self._stream = stream
        self._expected = expected
        self._dialect = dialect
        self._digest = hashlib.sha256()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await anext(self._stream)
        except StopAsyncIteration:
            if not hmac.compare_digest(self._digest.hexdigest(), self._expected):
                raise refusal(self._dialect, Refusal.PAYLOAD_MISMATCH) from None
            raise
        self._digest.update(chunk)
        return chunk


@lru_cache(maxsize=256)
def _moment(timestamp: str) -> float:
    """Seconds since the epoch of a basic ISO 8601 time; the same few come with every request of a second."""
    return datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _basic(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")


def _not_signed(dialect: Dialect, names: list[str]) -> AwsError:
    told = ", ".join(names)[:200]
    message = f"There were headers present in the request which were not signed: {told}"
    error = refusal(dialect, Refusal.UNSIGNED_HEADERS, message)
    if dialect is Dialect.S3:
        error.members = {"HeadersNotSigned": told}
    return error
