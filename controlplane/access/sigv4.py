"""Signature version 4: reading a signature, rebuilding what was signed, computing it anew.

Pure functions over `HttpRequest`. The canonical form is AWS's: S3 takes the path as it is (encoded once), every other
service normalizes it and encodes it a second time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from controlplane.core.http import HttpRequest

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
MAX_EXPIRES = 7 * 24 * 3600

_CREDENTIAL = re.compile(r"([\w.-]{1,128})/(\d{8})/([^/]{0,64})/([^/]{0,64})/([^/]{0,32})", re.ASCII)
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,128}", re.ASCII)
_BLANKS = re.compile(r"[ \t]+")
_MAX_SIGNED_HEADERS = 128
_LONGEST_KEPT = 512
_SINGLE_ENCODED = frozenset({"s3", "s3express", "s3-object-lambda", "s3-outposts"})
_PARAMETERS = ("Credential", "Signature", "SignedHeaders")
_QUERY_PARAMETERS = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")


class SignatureProblem(Exception):
    """A signature that cannot even be checked. The message is AWS's."""


class UnsupportedScheme(SignatureProblem):
    """Something else than SigV4: version 2, SigV4a, a bearer token."""


class TwoSchemes(SignatureProblem):
    """Both a header and a query string claim to authenticate the request."""


class BadQueryParameter(SignatureProblem):
    """A presigned URL whose parameters are incomplete or out of range."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request says of its own signature. `expires` (seconds) is set for presigned URLs only."""

    access_key_id: str
    date: str
    region: str
    service: str
    terminator: str
    timestamp: str
    signed_headers: tuple[str, ...]
    signature: str
    token: str | None
    expires: int | None = None

    @property
    def presigned(self) -> bool:
        """Whether the signature stands in the query string."""
        return self.expires is not None

    @property
    def scope(self) -> str:
        """The credential scope, part of the string to sign."""
        return f"{self.date}/{self.region}/{self.service}/{self.terminator}"


def read(request: HttpRequest) -> Signature | None:
    """The signature of a request, None where it has none at all. Raises SignatureProblem."""
    header = request.headers.get("authorization")
    in_query = b"X-Amz-Algorithm=" in request.query_string or b"X-Amz-Signature=" in request.query_string
    if header:  # an empty one says nothing
        if in_query:
            raise TwoSchemes(
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                "parameter or the Authorization header should be specified"
            )
        return _from_header(header, request)
    if in_query:
        return _from_query(request)
    if b"AWSAccessKeyId=" in request.query_string and b"Signature=" in request.query_string:
        raise UnsupportedScheme(_unsupported("version 2"))
    return None


def _unsupported(scheme: str) -> str:
    return f"The authorization mechanism you have provided ({scheme[:40]}) is not supported. Please use {ALGORITHM}."


def _from_header(header: str, request: HttpRequest) -> Signature:
    scheme, _, rest = header.partition(" ")
    if scheme != ALGORITHM:
        raise UnsupportedScheme(_unsupported(scheme))
    given: dict[str, str] = {}
    for item in rest.split(","):
        name, equals, value = item.strip().partition("=")
        if not equals or name not in _PARAMETERS or name in given:
            raise SignatureProblem(
                f"'{item.strip()[:80]}' not a valid key=value pair (missing equal-sign) in Authorization header: "
                f"'{header[:200]}'."
            )
        given[name] = value
    timestamp = request.headers.get("x-amz-date") or _basic(request.headers.get("date", ""))
    missing = [f"Authorization header requires '{name}' parameter." for name in _PARAMETERS if not given.get(name)]
    if not timestamp:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if missing:
        raise SignatureProblem(" ".join([*missing, f"Authorization={header[:200]}"]))
    return _signature(
        given["Credential"], timestamp, given["SignedHeaders"], given["Signature"],
        request.headers.get("x-amz-security-token"), None,
    )  # fmt: skip


def _basic(date: str) -> str:
    """The time of a Date header in ISO 8601's basic format: it stands there either so or as HTTP has it."""
    if _TIMESTAMP.fullmatch(date):
        return date
    try:
        return parsedate_to_datetime(date).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, TypeError, OverflowError):
        return ""


def _from_query(request: HttpRequest) -> Signature:
    given: dict[str, str] = {}
    for pair in request.query_string.split(b"&"):
        name, _, value = pair.partition(b"=")
        key = _decoded(name)
        if key.startswith("X-Amz-"):
            if key in given:
                raise BadQueryParameter(f"The query string parameter {key[:80]} must not be given twice")
            given[key] = _decoded(value)
    algorithm = given.get("X-Amz-Algorithm", "")
    if algorithm != ALGORITHM:
        raise UnsupportedScheme(_unsupported(algorithm))
    expires = given.get("X-Amz-Expires", "900")
    if any(not given.get(name) for name in _QUERY_PARAMETERS):
        raise BadQueryParameter(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    if not re.fullmatch(r"\d{1,9}", expires, re.ASCII):
        raise BadQueryParameter("X-Amz-Expires should be a number")
    if int(expires) > MAX_EXPIRES:
        raise BadQueryParameter(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            f"{MAX_EXPIRES} seconds"
        )
    if not _CREDENTIAL.fullmatch(given["X-Amz-Credential"]):
        raise BadQueryParameter(
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
            '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        )
    return _signature(
        given["X-Amz-Credential"], given["X-Amz-Date"], given["X-Amz-SignedHeaders"], given["X-Amz-Signature"],
        given.get("X-Amz-Security-Token"), int(expires),
    )  # fmt: skip


def _decoded(raw: bytes) -> str:
    return unquote_to_bytes(raw).decode("latin-1")


def _signature(
    credential: str, timestamp: str, names: str, signature: str, token: str | None, expires: int | None
) -> Signature:
    parts = _split(credential) if len(credential) <= _LONGEST_KEPT else None
    if parts is None:
        raise SignatureProblem(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
            f"'{credential[:120]}'"
        )
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureProblem(
            f"Date must be in ISO-8601 'basic format'. Got '{timestamp[:40]}'. See http://en.wikipedia.org/wiki/ISO_8601"
        )
    headers = _header_names(names) if len(names) <= _LONGEST_KEPT else _header_names.__wrapped__(names)
    if headers is None:
        raise SignatureProblem("Authorization header has an invalid 'SignedHeaders' parameter.")
    access_key_id, date, region, service, terminator = parts
    return Signature(access_key_id, date, region, service, terminator, timestamp, headers, signature, token, expires)


@lru_cache(maxsize=1024)
def _split(credential: str) -> tuple[str, ...] | None:
    """The elements of a credential; None where it is none. A client sends the same all day."""
    parts = _CREDENTIAL.fullmatch(credential)
    return parts.groups() if parts is not None else None


@lru_cache(maxsize=1024)
def _header_names(names: str) -> tuple[str, ...] | None:
    """The names of signed headers; None where they are too many, or one is none. A client's calls are alike."""
    headers = tuple(names.split(";"))
    return headers if len(headers) <= _MAX_SIGNED_HEADERS and all(map(_HEADER_NAME.fullmatch, headers)) else None


def unsigned_headers(request: HttpRequest, signature: Signature) -> list[str]:
    """Headers that must be signed and are not: `host` and every `x-amz-…`; what stands in a link is signed with it."""
    signed = signature.signed_headers
    return [
        name
        for name in request.headers
        if (name == "host" or name.startswith("x-amz-")) and name not in signed and name not in request.of_link
    ] + ([] if "host" in signed else ["host"])


def canonical_request(request: HttpRequest, signature: Signature, payload_hash: str) -> bytes:
    """The text whose hash is signed. Header bytes are kept as they were sent."""
    headers = request.headers
    lines = [f"{name}:{_trimmed(headers.get(name, ''))}\n" for name in signature.signed_headers]
    text = (
        f"{request.method}\n{_path(request.raw_path, once=signature.service in _SINGLE_ENCODED)}\n"
        f"{_query(request.query_string, presigned=signature.presigned)}\n{''.join(lines)}\n"
        f"{';'.join(signature.signed_headers)}\n{payload_hash}"
    )
    return text.encode("latin-1")


def _trimmed(value: str) -> str:
    """A header's value without outer blanks and with inner runs of them as one.

    Only ASCII blanks count: the value is raw bytes read as Latin-1, where a byte of UTF-8 may look like a blank.
    """
    text = value.strip(" \t")
    return _BLANKS.sub(" ", text) if "  " in text or "\t" in text else text


def _path(raw: bytes, *, once: bool) -> str:
    # Long paths are not kept, so that nobody can fill the memory with them.
    return _canonical_path(raw, once) if len(raw) <= _LONGEST_KEPT else _canonical_path.__wrapped__(raw, once)


@lru_cache(maxsize=1024)
def _canonical_path(raw: bytes, once: bool) -> str:
    if once:
        return quote(unquote_to_bytes(raw), safe="/-_.~") or "/"
    return quote(_normalized(raw.decode("latin-1")).encode("latin-1"), safe="/-_.~")


def _normalized(path: str) -> str:
    """Without empty, `.` and `..` segments, as RFC 3986 removes them."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment and segment != ".":
            kept.append(segment)
    slash = "/" if kept and path.endswith(("/", "/.", "/..")) else ""
    return f"/{'/'.join(kept)}{slash}"


def _query(raw: bytes, *, presigned: bool) -> str:
    if not raw:
        return ""
    pairs: list[tuple[str, str]] = []
    # AWS reads a plus sign as a blank, as forms have it, and so signs `%20` for it.
    for pair in raw.replace(b"+", b" ").split(b"&"):
        name, _, value = pair.partition(b"=")
        key = quote(unquote_to_bytes(name), safe="-_.~")
        if not (presigned and key == "X-Amz-Signature"):
            pairs.append((key, quote(unquote_to_bytes(value), safe="-_.~")))
    pairs.sort()
    return "&".join(f"{name}={value}" for name, value in pairs)


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service."""
    key = b"AWS4" + secret.encode()
    for part in (date, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign(key: bytes, signature: Signature, canonical: bytes) -> str:
    """The hexadecimal signature of a canonical request."""
    return hmac.digest(key, string_to_sign(signature, canonical).encode("latin-1"), "sha256").hex()


def string_to_sign(signature: Signature, canonical: bytes) -> str:
    """The text that is signed for a canonical request."""
    return f"{ALGORITHM}\n{signature.timestamp}\n{signature.scope}\n{hashlib.sha256(canonical).hexdigest()}"


class ChunkSignatures:
    """Checks the chained signatures of an aws-chunked body; `core.http.ChunkVerifier`.

    Each chunk is signed together with the signature before it, the first with that of the request.
    """

    def __init__(self, key: bytes, signature: Signature) -> None:
        self._key = key
        self._head = f"{signature.timestamp}\n{signature.scope}\n"
        self._previous = signature.signature

    def chunk(self, signature: str, data: bytes) -> bool:
        """Whether a chunk (the empty last one included) carries the signature it should."""
        text = f"{ALGORITHM}-PAYLOAD\n{self._head}{self._previous}\n{EMPTY_HASH}\n{hashlib.sha256(data).hexdigest()}"
        return self._advance(text, signature)

    def trailer(self, signature: str, trailer: bytes) -> bool:
        """Whether the trailer's signature is right; `trailer` is its `name:value` lines, each ended by a line feed."""
        text = f"{ALGORITHM}-TRAILER\n{self._head}{self._previous}\n{hashlib.sha256(trailer).hexdigest()}"
        return self._advance(text, signature)

    def _advance(self, text: str, signature: str) -> bool:
        self._previous = hmac.digest(self._key, text.encode("latin-1"), "sha256").hex()
        return equal(self._previous, signature)


def equal(expected: str, given: str) -> bool:
    """Compare in constant time, whatever characters were given."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogateescape"))
