"""Refusals of authentication and authorization, each in the words of the protocol family that was spoken."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from controlplane.core.errors import AwsError

_QUERY_INVALID = "The security token included in the request is invalid."
_QUERY_EXPIRED = "The security token included in the request is expired"
_QUERY_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_S3_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
_EC2_INVALID = "AWS was not able to validate the provided access credentials"
_MISSING = "Request is missing Authentication Token"


class Dialect(enum.Enum):
    """A family of services that words refusals alike."""

    QUERY = "query"
    JSON = "json"
    REST = "rest-json"
    EC2 = "ec2"
    S3 = "s3"


class Refusal(enum.Enum):
    """Why a request was refused before anybody looked at its parameters."""

    MISSING = enum.auto()
    UNKNOWN_KEY = enum.auto()
    BAD_TOKEN = enum.auto()
    EXPIRED_TOKEN = enum.auto()
    MISMATCH = enum.auto()
    SKEWED = enum.auto()
    EXPIRED_URL = enum.auto()
    EARLY_URL = enum.auto()
    UNREADABLE = enum.auto()
    UNREADABLE_OLDER = enum.auto()
    OLDER_HEADER = enum.auto()
    BAD_QUERY = enum.auto()
    WRONG_SCOPE = enum.auto()
    UNSIGNED_HEADERS = enum.auto()
    TWO_SCHEMES = enum.auto()
    UNSUPPORTED = enum.auto()
    NO_PAYLOAD_HASH = enum.auto()
    PAYLOAD_MISMATCH = enum.auto()


@dataclass(frozen=True, slots=True)
class _Words:
    code: str
    status: int
    message: str = ""
    """Empty where the message says what exactly is wrong and is given with the refusal."""


_ALL = {
    Refusal.TWO_SCHEMES: _Words("InvalidArgument", 400),
    Refusal.UNSUPPORTED: _Words("InvalidRequest", 400),
    Refusal.UNREADABLE_OLDER: _Words("AccessDenied", 403),
    Refusal.OLDER_HEADER: _Words("InvalidArgument", 400),
    Refusal.EXPIRED_URL: _Words("SignatureDoesNotMatch", 403),
    Refusal.EARLY_URL: _Words("SignatureDoesNotMatch", 403),
    Refusal.BAD_QUERY: _Words("IncompleteSignature", 400),
    Refusal.UNSIGNED_HEADERS: _Words("SignatureDoesNotMatch", 403),
    Refusal.NO_PAYLOAD_HASH: _Words(
        "InvalidRequest", 400, "Missing required header for this request: x-amz-content-sha256"
    ),
    Refusal.PAYLOAD_MISMATCH: _Words("SignatureDoesNotMatch", 403, _QUERY_MISMATCH),
}
_QUERY = {
    **_ALL,
    Refusal.MISSING: _Words("MissingAuthenticationToken", 403, _MISSING),
    Refusal.UNKNOWN_KEY: _Words("InvalidClientTokenId", 403, _QUERY_INVALID),
    Refusal.BAD_TOKEN: _Words("InvalidClientTokenId", 403, _QUERY_INVALID),
    Refusal.EXPIRED_TOKEN: _Words("ExpiredToken", 403, _QUERY_EXPIRED),
    Refusal.MISMATCH: _Words("SignatureDoesNotMatch", 403, _QUERY_MISMATCH),
    Refusal.SKEWED: _Words("SignatureDoesNotMatch", 403),
    Refusal.UNREADABLE: _Words("IncompleteSignature", 400),
    Refusal.WRONG_SCOPE: _Words("SignatureDoesNotMatch", 403),
}


def _json(status: int) -> dict[Refusal, _Words]:
    invalid = _Words("InvalidSignatureException", status)
    return {
        **_ALL,
        Refusal.MISSING: _Words("MissingAuthenticationTokenException", status, _MISSING),
        Refusal.UNKNOWN_KEY: _Words("UnrecognizedClientException", status, _QUERY_INVALID),
        Refusal.BAD_TOKEN: _Words("UnrecognizedClientException", status, _QUERY_INVALID),
        Refusal.EXPIRED_TOKEN: _Words("ExpiredTokenException", status, _QUERY_EXPIRED),
        Refusal.MISMATCH: _Words("InvalidSignatureException", status, _QUERY_MISMATCH),
        Refusal.SKEWED: invalid,
        Refusal.EXPIRED_URL: invalid,
        Refusal.EARLY_URL: invalid,
        Refusal.UNREADABLE: _Words("IncompleteSignatureException", 400 if status == 400 else 403),
        Refusal.BAD_QUERY: _Words("IncompleteSignatureException", 400),
        Refusal.WRONG_SCOPE: invalid,
        Refusal.UNSIGNED_HEADERS: invalid,
        Refusal.PAYLOAD_MISMATCH: _Words("InvalidSignatureException", status, _QUERY_MISMATCH),
    }


_EC2_FAILURE = _Words("AuthFailure", 401, _EC2_INVALID)
_EC2 = {
    **_ALL,
    Refusal.MISSING: _Words("MissingParameter", 400, "The request must contain the parameter AWSAccessKeyId"),
    Refusal.UNKNOWN_KEY: _EC2_FAILURE,
    Refusal.BAD_TOKEN: _EC2_FAILURE,
    Refusal.EXPIRED_TOKEN: _Words("RequestExpired", 400, "Request has expired."),
    Refusal.MISMATCH: _EC2_FAILURE,
    Refusal.SKEWED: _Words("RequestExpired", 400, "Request has expired."),
    Refusal.EXPIRED_URL: _Words("RequestExpired", 400, "Request has expired."),
    Refusal.EARLY_URL: _EC2_FAILURE,
    Refusal.UNREADABLE: _Words("IncompleteSignature", 400),
    Refusal.WRONG_SCOPE: _Words("AuthFailure", 401),
    Refusal.UNSIGNED_HEADERS: _EC2_FAILURE,
    Refusal.PAYLOAD_MISMATCH: _EC2_FAILURE,
}
_S3 = {
    **_ALL,
    Refusal.MISSING: _Words("AccessDenied", 403, "Access Denied"),
    Refusal.UNKNOWN_KEY: _Words(
        "InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."
    ),
    Refusal.BAD_TOKEN: _Words("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
    Refusal.EXPIRED_TOKEN: _Words("ExpiredToken", 400, "The provided token has expired."),
    Refusal.MISMATCH: _Words("SignatureDoesNotMatch", 403, _S3_MISMATCH),
    Refusal.SKEWED: _Words(
        "RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large."
    ),
    Refusal.EXPIRED_URL: _Words("AccessDenied", 403, "Request has expired"),
    Refusal.EARLY_URL: _Words("AccessDenied", 403, "Request is not valid yet"),
    Refusal.UNREADABLE: _Words("AuthorizationHeaderMalformed", 400),
    Refusal.BAD_QUERY: _Words("AuthorizationQueryParametersError", 400),
    Refusal.WRONG_SCOPE: _Words("AuthorizationHeaderMalformed", 400),
    Refusal.UNSIGNED_HEADERS: _Words(
        "AccessDenied", 403, "There were headers present in the request which were not signed"
    ),
    Refusal.PAYLOAD_MISMATCH: _Words(
        "XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."
    ),
}
_WORDS = {
    Dialect.QUERY: _QUERY,
    Dialect.JSON: _json(400),
    Dialect.REST: _json(403),
    Dialect.EC2: _EC2,
    Dialect.S3: _S3,
}
_DENIALS = {
    Dialect.QUERY: ("AccessDenied", 403),
    Dialect.JSON: ("AccessDeniedException", 400),
    Dialect.REST: ("AccessDeniedException", 403),
    Dialect.EC2: ("UnauthorizedOperation", 403),
    Dialect.S3: ("AccessDenied", 403),
}
_DENIALS_OF_SERVICES = {"sns": ("AuthorizationError", 403)}


def dialect_of(service: str, protocol: str) -> Dialect:
    """The family of a service (its botocore name) and the protocol that was spoken."""
    if protocol == "ec2":
        return Dialect.EC2
    if service in ("s3", "s3control"):
        return Dialect.S3
    if protocol in ("json", "smithy-rpc-v2-cbor"):
        return Dialect.JSON
    return Dialect.REST if protocol == "rest-json" else Dialect.QUERY


def refusal(dialect: Dialect, why: Refusal, message: str = "") -> AwsError:
    """The error to answer with; the message counts where the family has no fixed one."""
    words = _WORDS[dialect][why]
    return AwsError(words.message or message, code=words.code, status=words.status)


class _Signed(Protocol):
    @property
    def access_key_id(self) -> str: ...
    @property
    def signature(self) -> str: ...


def compared(signature: _Signed, text: bytes) -> dict[str, str]:
    """What S3 tells of a signature that is wrong, for whoever looks for the difference: what the caller sent, and the
    text that was to be signed."""
    return {
        "AWSAccessKeyId": signature.access_key_id,
        "StringToSign": text.decode("utf-8", "replace"),
        "SignatureProvided": signature.signature,
        "StringToSignBytes": text.hex(" "),
    }


def shown_resource(dialect: Dialect, arn: str) -> str:
    """How a denial names what it is about; empty where the family leaves out what is everything."""
    if dialect is Dialect.S3:
        return "" if arn in ("*", "arn:aws:s3:::*") else f'"{arn}"'
    return "" if arn == "*" and dialect is Dialect.EC2 else arn


def denial(dialect: Dialect, service: str, message: str) -> AwsError:
    """The error of a request that policies do not allow."""
    code, status = _DENIALS_OF_SERVICES.get(service, _DENIALS[dialect])
    return AwsError(message, code=code, status=status)
