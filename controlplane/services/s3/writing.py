"""What a request says of the object that it makes: the columns of its row, all but those of the body."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.http import one_line
from controlplane.core.operation import Resource
from controlplane.services.s3 import buckets, encryption, grants, locks, objects, publicity, tagging
from controlplane.services.s3.buckets import ENFORCED, PREFERRED, Bucket
from controlplane.services.s3.checksums import FULL
from controlplane.services.s3.encryption import Master
from controlplane.services.s3.errors import (
    AccessDenied,
    InvalidArgument,
    InvalidStorageClass,
    MetadataTooLarge,
    S3Error,
)
from controlplane.services.s3.receiving import Received
from controlplane.services.s3.storing import Columns, now

_OF_LISTS = ("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP")
MOST_METADATA = 2048
STORAGE_CLASSES = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    }
)


class AccessControlListNotSupported(S3Error):
    code, text = "AccessControlListNotSupported", "The bucket does not allow ACLs"


async def columns(ctx: Context, bucket: Bucket, request: Mapping[str, Any], key: bytes, master: Master) -> Columns:
    """The columns of a new version. Raises InvalidArgument and its kin."""
    storage_class = request.get("StorageClass") or objects.STANDARD
    if storage_class not in STORAGE_CLASSES:
        raise InvalidStorageClass(StorageClassRequested=storage_class)
    owner = ctx.principal.account_id or bucket.account_id
    acl = await _acl(ctx, bucket, request, owner)
    if bucket.ownership == ENFORCED or (
        bucket.ownership == PREFERRED and acl is not None and ["account", bucket.account_id, "FULL_CONTROL"] in acl
    ):
        owner = bucket.account_id
    return {
        "bucket_id": bucket.id,
        "key": key,
        "version": None,
        "marker": False,
        "account_id": bucket.account_id,
        "owner": owner if owner != bucket.account_id else None,
        "size": 0,
        "etag": "",
        "modified_at": now(),
        "storage_class": storage_class if storage_class != objects.STANDARD else None,
        "facts": _facts(request, master),
        "tags": tagging.of_header(request.get("Tagging")),
        "acl": acl,
        **locks.for_writing(bucket, request),
        "upload_id": None,
        "parts": None,
        "blob": None,
        "content": None,
        "place": 0,
    }


def _facts(request: Mapping[str, Any], master: Master) -> dict[str, Any]:
    found: dict[str, Any] = {"sse": master.facts}
    if headers := objects.kept_headers(request):
        found["headers"] = {
            name: _storable(value) if name == "wr" else one_line(value) for name, value in headers.items()
        }
    if metadata := _metadata(request):
        found["meta"] = metadata
    if request.get("ObjectLockLegalHoldStatus"):
        found["hold"] = True  # somebody said whether it is held
    redirect = request.get("WebsiteRedirectLocation")
    if redirect and not redirect.startswith(("/", "http://", "https://")):
        raise InvalidArgument(
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
            ArgumentName="x-amz-website-redirect-location", ArgumentValue=redirect,
        )  # fmt: skip
    return found


def _metadata(request: Mapping[str, Any]) -> dict[str, str]:
    found = {name.lower(): _storable(_decoded(value)) for name, value in (request.get("Metadata") or {}).items()}
    size = sum(len(name.encode()) + len(value.encode()) for name, value in found.items())
    if size > MOST_METADATA:
        raise MetadataTooLarge(Size=size, MaxSizeAllowed=MOST_METADATA)
    return found


def _decoded(value: str) -> str:
    """A value that came as words of RFC 2047 is kept as what they say."""
    if not value.startswith("=?"):
        return value
    try:
        text = str(make_header(decode_header(value)))
    except (ValueError, LookupError, HeaderParseError):
        return value
    return value if "\x00" in text else text  # which Postgres cannot hold


def _storable(value: str) -> str:
    """Text of a header: bytes beyond ASCII are UTF-8 where they can be. Postgres holds no NUL."""
    if not value.isascii():
        with suppress(UnicodeError):
            value = value.encode("latin-1").decode()
    return value.replace("\x00", "")


async def _acl(ctx: Context, bucket: Bucket, request: Mapping[str, Any], owner: str) -> list[grants.Grant] | None:
    found = await grants.given(ctx, request, owner, bucket.account_id)
    if found is None:
        return None
    if bucket.ownership == ENFORCED:
        full = ["account", bucket.account_id, "FULL_CONTROL"]
        own = "private" if owner == bucket.account_id else None
        if request.get("ACL") not in ("bucket-owner-full-control", own) and found != [full]:
            raise AccessControlListNotSupported
        return None
    if bucket.blocks("BlockPublicAcls") and grants.is_public(found):
        raise publicity.refused(ctx, "ACLs", "BlockPublicAcls")
    return found


async def authorize_details(ctx: Context, request: Mapping[str, Any], on: Resource) -> None:
    """Ask for what a write needs beside `s3:PutObject`: tags, lists and locks have permissions of their own."""
    asked = []
    if request.get("Tagging"):
        asked.append("s3:PutObjectTagging")
    # The policies that AWS's guides give buckets for services' logs name `s3:PutObject` alone.
    handed_over = ctx.principal.kind == "service" and request.get("ACL") == "bucket-owner-full-control"
    if any(request.get(name) for name in _OF_LISTS) and not handed_over:
        asked.append("s3:PutObjectAcl")
    if request.get("ObjectLockMode"):
        asked.append("s3:PutObjectRetention")
    if request.get("ObjectLockLegalHoldStatus"):
        asked.append("s3:PutObjectLegalHold")
    bucket = on.row
    for action in asked:
        about = on
        if action in ("s3:PutObjectAcl", "s3:PutObjectTagging"):
            about = replace(on, policy=buckets.visible(ctx, bucket, bucket.policy_for_new()))
        for resource in buckets.through(ctx, bucket, about):
            try:
                await ctx.authorize(action, resource)
            except AwsError as error:
                raise AccessDenied(error.message) from error


async def master_for(ctx: Context, bucket: Bucket, request: Mapping[str, Any]) -> Master:
    """Under what the new object will lie."""
    return await encryption.for_writing(ctx, bucket, request, objects.arn(bucket, request))


def with_body(columns: Columns, received: Received) -> Columns:
    """The columns with those of a body."""
    facts = {**columns["facts"], "sums": received.sums, "sum_type": FULL, "salt": text_of(received.salt)}
    return {
        **columns,
        "size": received.size,
        "etag": received.md5,
        "facts": facts,
        "content": received.content,
        "blob": received.blob,
    }


def text_of(salt: bytes) -> str:
    """A salt as JSON holds it."""
    return b64encode(salt).decode()
