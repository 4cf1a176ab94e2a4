"""Signature version 2, which S3's older clients and links still carry: HMAC-SHA1 over a text of the request."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, unquote_to_bytes

from controlplane.access.sigv4 import SignatureProblem
from controlplane.core.http import HttpRequest

_HEADER = re.compile(r"AWS ([\w.-]{1,128}):([A-Za-z0-9+/=]{1,64})", re.ASCII)
# The parameters that are part of the signed resource; all others are not.
_SIGNED = frozenset(
    [
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "defaultObjectAcl",
        "delete",
        "encryption",
        "inventory",
        "legal-hold",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "partNumber",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "retention",
        "select",
        "select-type",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    ]
)


class MalformedHeader(SignatureProblem):
    """An Authorization header that is none of this version's."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request says of its signature. `moment` is when it was signed, or when a link expires (`presigned`)."""

    access_key_id: str
    signature: str
    token: str | None
    moment: float
    presigned: bool


def read(request: HttpRequest) -> Signature | None:
    """The signature of a request; None where it has none of this version. Raises SignatureProblem."""
    header = request.headers.get("authorization", "")
    if header.startswith("AWS "):
        match = _HEADER.fullmatch(header)
        if match is None:
            raise MalformedHeader("AWS authorization header is invalid.  Expected AwsAccessKeyId:signature")
        return Signature(match[1], match[2], request.headers.get("x-amz-security-token"), _date(request), False)
    if header or b"AWSAccessKeyId=" not in request.query_string:
        return None
    given = dict(_parameters(request.query_string))
    expires = given.get("Expires") or ""
    if not given.get("Signature") or not re.fullmatch(r"\d{1,12}", expires):
        raise SignatureProblem(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        )
    token = given.get("x-amz-security-token")
    return Signature(given["AWSAccessKeyId"] or "", given["Signature"] or "", token, float(expires), True)


def _date(request: HttpRequest) -> float:
    text = request.headers.get("x-amz-date", request.headers.get("date", ""))  # an empty one outdoes the other too
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError) as error:
        raise SignatureProblem("AWS authentication requires a valid Date or x-amz-date header") from error
    if moment < 0:
        raise SignatureProblem("AWS authentication requires a valid Date or x-amz-date header")
    return moment


def _parameters(raw: bytes) -> list[tuple[str, str | None]]:
    found = []
    for pair in raw.split(b"&"):
        name, equals, value = pair.partition(b"=")
        found.append((unquote(name.decode("latin-1")), _decoded(value) if equals else None))
    return found


def _decoded(raw: bytes) -> str:
    return unquote_to_bytes(raw).decode("utf-8", "replace")


def strings_to_sign(request: HttpRequest, bucket: str | None, presigned_until: str | None) -> list[bytes]:
    """The texts that a request may have signed. `bucket` is set where the host names it. Where the path is that of a
    bucket, some clients sign it with a slash behind it and some without."""
    headers = request.headers
    date = (
        presigned_until if presigned_until is not None else "" if "x-amz-date" in headers else headers.get("date", "")
    )
    amz = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers) if name.startswith("x-amz-"))
    path = request.raw_path.decode("latin-1")
    resource = f"/{bucket}{path}" if bucket else path
    pairs = [pair.partition(b"=") for pair in request.query_string.replace(b"+", b" ").split(b"&")]
    named = [(unquote(name.decode("latin-1")), equals + unquote_to_bytes(value)) for name, equals, value in pairs]
    query = b"&".join(name.encode() + value for name, value in sorted(named) if name in _SIGNED)
    kind, digest = headers.get("content-type", ""), headers.get("content-md5", "")
    head = f"{request.method}\n{digest}\n{kind}\n{date}\n{amz}".encode("latin-1")
    resources = [resource, f"{resource}/"] if resource.count("/") == 1 and len(resource) > 1 else [resource]
    return [head + one.encode("latin-1") + (b"?" + query if query else b"") for one in resources]


def sign(secret: str, text: bytes) -> str:
    """The signature of a text."""
    return b64encode(hmac.digest(secret.encode(), text, hashlib.sha1)).decode()
