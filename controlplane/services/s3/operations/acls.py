"""Access control lists of buckets and objects, and who owns what others write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.services.s3 import events, grants, owners, publicity, versions
from controlplane.services.s3.buckets import ENFORCED, PREFERRED, WRITER, Bucket, on_bucket, the_bucket
from controlplane.services.s3.errors import MalformedXML, S3Error
from controlplane.services.s3.objects import on_stored, the_object
from controlplane.services.s3.queries import buckets as queries
from controlplane.services.s3.queries import changes
from controlplane.services.s3.writing import AccessControlListNotSupported

_OWNER_FULL = "bucket-owner-full-control"


class OwnershipControlsNotFound(S3Error):
    code, status = "OwnershipControlsNotFoundError", 404
    text = "The bucket ownership controls were not found"


class InvalidBucketAcl(S3Error):
    code = "InvalidBucketAclWithObjectOwnership"
    text = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"


class MissingSecurityHeader(S3Error):
    code = "MissingSecurityHeader"
    text = "Your request was missing a required header"


async def _asked(ctx: Context, bucket: Bucket, request: Mapping[str, Any], owner: str) -> list[grants.Grant] | None:
    """The list that a request asks for; None where the bucket takes none and it only says what holds anyway."""
    document = request.get("AccessControlPolicy")
    found = await grants.given(ctx, request, owner, bucket.account_id)
    if found is not None and document:
        raise UnexpectedContent
    if found is None:
        if document is None:
            raise MissingSecurityHeader(MissingHeaderName="x-amz-acl")
        found = await grants.parse(ctx, document, owner)
    if bucket.ownership == ENFORCED:
        if request.get("ACL") != _OWNER_FULL and (document is None or found != grants.default(bucket.account_id)):
            raise AccessControlListNotSupported
        return None
    if bucket.blocks("BlockPublicAcls") and grants.is_public(found):
        raise publicity.refused(ctx, "ACLs", "BlockPublicAcls")
    return found


class UnexpectedContent(S3Error):
    code = "UnexpectedContent"
    text = "This request does not support content"


@operation("GetBucketAcl", on=on_bucket)
async def get_bucket_acl(ctx: Context, request: Request) -> dict[str, Any]:
    """Owner and grants of a bucket."""
    bucket = the_bucket(ctx)
    held = grants.default(bucket.account_id) if bucket.ownership == ENFORCED else bucket.grants
    return await owners.named(ctx, {"Owner": grants.owner(bucket.account_id), "Grants": grants.show(held)})


@operation("PutBucketAcl", on=on_bucket)
async def put_bucket_acl(ctx: Context, request: Request) -> None:
    """Replace a bucket's list. Raises AccessControlListNotSupported, MalformedXML."""
    bucket = the_bucket(ctx)
    found = await _asked(ctx, bucket, request, bucket.account_id)
    if found is not None:
        await queries.put_setting(ctx.db, bucket.id, "acl", found)


@operation("GetObjectAcl", on=on_stored(of_version="s3:GetObjectVersionAcl"))
async def get_object_acl(ctx: Context, request: Request) -> dict[str, Any]:
    """Owner and grants of an object."""
    bucket, row = await the_object(ctx)
    owner = bucket.account_id if bucket.ownership == ENFORCED else row["owner"] or bucket.account_id
    held = grants.default(owner) if bucket.ownership == ENFORCED or row["acl"] is None else row["acl"]
    return await owners.named(ctx, {"Owner": grants.owner(owner), "Grants": grants.show(held)})


@operation("PutObjectAcl", on=on_stored(of_version="s3:PutObjectVersionAcl"))
async def put_object_acl(ctx: Context, request: Request) -> dict[str, Any]:
    """Replace an object's list."""
    bucket, row = await the_object(ctx)
    found = await _asked(ctx, bucket, request, row["owner"] or bucket.account_id)
    if found is not None:
        if found != (row["acl"] or grants.default(row["owner"] or bucket.account_id)):
            await events.note(ctx, bucket, "ObjectAcl:Put", row["key"], row)
        await changes.put_acl(ctx.db, row, found)
    if bucket.versioning is not None:
        ctx.answer_headers["x-amz-version-id"] = versions.shown(row["version"])
    return {}


@operation("GetBucketOwnershipControls", on=on_bucket)
async def get_bucket_ownership_controls(ctx: Context, request: Request) -> dict[str, Any]:
    """Who owns what others write. Raises OwnershipControlsNotFound."""
    bucket = the_bucket(ctx)
    if "ownership" not in bucket.settings:
        raise OwnershipControlsNotFound(BucketName=bucket.name)
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": bucket.ownership}]}}


@operation("PutBucketOwnershipControls", on=on_bucket)
async def put_bucket_ownership_controls(ctx: Context, request: Request) -> None:
    """Say who owns what others write; owners that are enforced allow no lists but the default."""
    bucket = the_bucket(ctx)
    rules = request["OwnershipControls"].get("Rules") or []
    if len(rules) != 1 or rules[0].get("ObjectOwnership") not in (ENFORCED, PREFERRED, WRITER):
        raise MalformedXML
    if rules[0]["ObjectOwnership"] == ENFORCED and bucket.grants != grants.default(bucket.account_id):
        raise InvalidBucketAcl(BucketName=bucket.name)
    await queries.put_setting(ctx.db, bucket.id, "ownership", rules[0]["ObjectOwnership"])


@operation("DeleteBucketOwnershipControls", on=on_bucket, action="s3:PutBucketOwnershipControls")
async def delete_bucket_ownership_controls(ctx: Context, request: Request) -> None:
    """Take the setting away: writers own what they write."""
    await queries.put_setting(ctx.db, the_bucket(ctx).id, "ownership", None)
