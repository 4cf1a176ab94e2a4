"""Under which master key an object lies: the cloud's own (SSE-S3), one of KMS, or the customer's (SSE-C)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.errors import AccessDenied, InvalidArgument, InvalidEncryptionAlgorithm, InvalidRequest

PURPOSE = "s3-objects"
S3, KMS, DSSE, CUSTOMER = "AES256", "aws:kms", "aws:kms:dsse", "C"
_KEY_BYTES = 32
_SERVER_ERROR = 500
_SECURE = "Requests specifying Server Side Encryption with Customer provided keys must provide "


@dataclass(frozen=True, slots=True)
class Master:
    """A master key, and what must be kept to find it again; nothing of `facts` is secret."""

    key: bytes
    facts: dict[str, Any]


async def for_writing(ctx: Context, bucket: Bucket, request: Mapping[str, Any], arn: str) -> Master:
    """The master key that a request or its bucket's settings ask for. Raises InvalidArgument, InvalidRequest."""
    kind = request.get("ServerSideEncryption")
    if kind and request.get("SSECustomerAlgorithm"):
        raise InvalidArgument(
            "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
            ArgumentName="x-amz-server-side-encryption", ArgumentValue=kind,
        )  # fmt: skip
    customers = customer_key(request)
    if customers is not None:
        return Master(customers, {"kind": CUSTOMER, "md5": _md5(customers)})
    rule = bucket.settings.get("encryption") or {}
    default = rule.get("ApplyServerSideEncryptionByDefault") or {}
    if kind and kind not in (S3, KMS, DSSE):
        raise InvalidArgument(
            "The encryption method specified is not supported",
            ArgumentName="x-amz-server-side-encryption", ArgumentValue=kind,
        )  # fmt: skip
    asked = request.get("SSEKMSKeyId")
    if asked is not None and kind not in (KMS, DSSE):
        raise InvalidArgument(
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : "
            "aws:kms",
            ArgumentName="x-amz-server-side-encryption",
        )
    if not kind:
        kind, asked = default.get("SSEAlgorithm") or S3, default.get("KMSMasterKeyID")
    if kind == S3:
        return Master(own_key(ctx), {"kind": S3})
    bucket_key = request.get("BucketKeyEnabled")
    by_bucket = bool(rule.get("BucketKeyEnabled")) if bucket_key is None else bool(bucket_key)
    return await _of_kms(ctx, kind, asked, request.get("SSEKMSEncryptionContext"), bucket.arn if by_bucket else arn)


async def _of_kms(ctx: Context, kind: str, asked: str | None, more: str | None, arn: str) -> Master:
    context = {**_context(more), "aws:s3:arn": arn}
    named = {"KeyId": asked or "alias/aws/s3", "KeySpec": "AES_256", "EncryptionContext": context}
    made = await _ask_kms(ctx, "GenerateDataKey", named)
    facts: dict[str, Any] = {
        "kind": kind,
        "arn": made["KeyId"],
        "key": b64encode(made["CiphertextBlob"]).decode(),
        "context": context,
    }
    if arn.count("/") == 0:
        facts["bucket_key"] = True
    return Master(made["Plaintext"], facts)


async def _ask_kms(ctx: Context, operation: str, request: Mapping[str, Any]) -> Any:
    """What KMS answers. What it refuses is told as its refusal, but for a permission that is missing. Who is nobody has
    no keys there. Raises InvalidArgument, AccessDenied."""
    if ctx.principal.kind == "anonymous":
        raise InvalidArgument(
            "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.",
            ArgumentName="Authorization", ArgumentValue="null",
        )  # fmt: skip
    try:
        return await ctx.call("kms", operation, request)
    except AwsError as error:
        if error.code.startswith("AccessDenied"):
            raise AccessDenied(error.message) from error
        if error.status >= _SERVER_ERROR:
            raise
        raise AwsError(error.message, code=f"KMS.{error.code}", status=400) from error


def _context(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    try:
        found = orjson.loads(b64decode(text, validate=True))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(_is_storable(text) for pair in found.items() for text in pair):
        raise InvalidArgument(
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which "
            "represents a string-string map",
            ArgumentName="x-amz-server-side-encryption-context",
        )
    return found


def _is_storable(text: Any) -> bool:
    return isinstance(text, str) and "\x00" not in text


async def for_reading(ctx: Context, facts: Mapping[str, Any], request: Mapping[str, Any], prefix: str = "") -> bytes:
    """The master key under which something lies. Raises InvalidRequest, AccessDenied."""
    kind = facts["kind"]
    customers = customer_key(request, prefix, reading=True)
    if kind == CUSTOMER:
        if customers is None:
            raise InvalidRequest(
                "The object was stored using a form of Server Side Encryption. The correct parameters must be provided "
                "to retrieve the object."
            )
        if not hmac.compare_digest(_md5(customers), facts["md5"]):
            raise AccessDenied(f"{_SECURE}the correct secret key.")
        return customers
    if customers is not None:
        raise InvalidRequest("The encryption parameters are not applicable to this object.")
    if kind == S3:
        return own_key(ctx)
    sealed = {"CiphertextBlob": b64decode(facts["key"]), "EncryptionContext": facts["context"]}
    made = await _ask_kms(ctx, "Decrypt", sealed)
    plaintext: bytes = made["Plaintext"]
    return plaintext


def check_same_key(facts: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Refuse a look at an object's properties without the customer's key. Raises InvalidRequest, AccessDenied."""
    customers = customer_key(request, reading=True)
    if facts["kind"] != CUSTOMER:
        if customers is not None:
            raise InvalidRequest("The encryption parameters are not applicable to this object.")
    elif customers is None:
        raise InvalidRequest(
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided "
            "to retrieve the object."
        )
    elif not hmac.compare_digest(_md5(customers), facts["md5"]):
        raise AccessDenied(f"{_SECURE}the correct secret key.")


def check_part(facts: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Raises InvalidRequest where a part comes with another customer's key than its upload, or without it."""
    customers = customer_key(request)
    if (facts["kind"] == CUSTOMER) != (customers is not None):  # AWS has one text for both
        raise InvalidRequest(
            "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate "
            "encryption parameters."
        )
    if customers is not None and not hmac.compare_digest(_md5(customers), facts["md5"]):
        raise InvalidRequest("The provided encryption parameters did not match the ones used originally.")


def customer_key(request: Mapping[str, Any], prefix: str = "", *, reading: bool = False) -> bytes | None:
    """The customer's key in a request; None where it has none. For `reading`, one of a wrong length is none of the
    others. Raises InvalidArgument."""
    algorithm = request.get(f"{prefix}SSECustomerAlgorithm")
    key = request.get(f"{prefix}SSECustomerKey")
    digest = request.get(f"{prefix}SSECustomerKeyMD5")
    if algorithm is None and key is None and digest is None:
        return None
    named = {"ArgumentName": "x-amz-server-side-encryption"}
    if algorithm is None:
        raise InvalidArgument(f"{_SECURE}a valid encryption algorithm.", **named)
    if algorithm != S3:
        raise InvalidEncryptionAlgorithm(**named, ArgumentValue=algorithm)
    if not key:
        raise InvalidArgument(f"{_SECURE}an appropriate secret key.", **named)
    if digest is None:
        raise InvalidArgument(f"{_SECURE}the client calculated MD5 of the secret key.", **named)
    try:
        found = b64decode(key, validate=True)
    except ValueError:
        found = b""
    if len(found) != _KEY_BYTES and not reading:
        raise InvalidArgument("The secret key was invalid for the specified algorithm.", **named)
    if _md5(found) != digest:
        raise InvalidArgument(
            "The calculated MD5 hash of the key did not match the hash that was provided.",
            **named,
        )
    return found


def own_key(ctx: Context) -> bytes:
    """The cloud's own master key."""
    sealer = ctx.engine("sealing")
    key = _OWN.get(id(sealer))
    if key is None:
        key = _OWN[id(sealer)] = sealer.derive(PURPOSE)
    return key


_OWN: dict[int, bytes] = {}


def _md5(key: bytes) -> str:
    return b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode()


def shown_of_whole(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the completion of an upload, which says nothing of a customer's key."""
    return {} if facts["kind"] == CUSTOMER else shown(facts)


def customer_headers(facts: Mapping[str, Any]) -> dict[str, str]:
    """What is told of a customer's key where the model has no members for it."""
    if facts["kind"] != CUSTOMER:
        return {}
    name = "x-amz-server-side-encryption-customer"
    return {f"{name}-algorithm": S3, f"{name}-key-md5": facts["md5"]}


def shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    """How an object is encrypted, as members of an answer."""
    if facts["kind"] == CUSTOMER:
        return {"SSECustomerAlgorithm": S3, "SSECustomerKeyMD5": facts["md5"]}
    if facts["kind"] == S3:
        return {"ServerSideEncryption": S3}
    told: dict[str, Any] = {"ServerSideEncryption": facts["kind"], "SSEKMSKeyId": facts["arn"]}
    return {**told, "BucketKeyEnabled": True} if facts.get("bucket_key") else told
