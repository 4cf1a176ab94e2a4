"""Tags of buckets and of objects."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.services.s3 import events, tagging, versions
from controlplane.services.s3.buckets import Bucket, on_bucket, the_bucket
from controlplane.services.s3.errors import S3Error
from controlplane.services.s3.objects import on_stored, the_object
from controlplane.services.s3.queries import buckets as queries
from controlplane.services.s3.queries import changes


class NoSuchTagSet(S3Error):
    code, status, text = "NoSuchTagSet", 404, "The TagSet does not exist"


@operation("GetBucketTagging", on=on_bucket)
async def get_bucket_tagging(ctx: Context, request: Request) -> dict[str, Any]:
    """A bucket's tags. Raises NoSuchTagSet."""
    bucket = the_bucket(ctx)
    if not bucket.tags:
        raise NoSuchTagSet(BucketName=bucket.name)
    return {"TagSet": tagging.shown(bucket.tags)}


@operation("PutBucketTagging", on=on_bucket)
async def put_bucket_tagging(ctx: Context, request: Request) -> None:
    """Replace a bucket's tags. Raises InvalidTag."""
    tags = tagging.of_set(request["Tagging"], tagging.MOST_OF_BUCKET)
    await queries.put_tags(ctx.db, the_bucket(ctx).id, tags)
    ctx.answer_status = 204


@operation("DeleteBucketTagging", on=on_bucket, action="s3:PutBucketTagging")
async def delete_bucket_tagging(ctx: Context, request: Request) -> None:
    """Take a bucket's tags away."""
    await queries.put_tags(ctx.db, the_bucket(ctx).id, {})


@operation("GetObjectTagging", on=on_stored(of_version="s3:GetObjectVersionTagging"))
async def get_object_tagging(ctx: Context, request: Request) -> dict[str, Any]:
    """A version's tags."""
    bucket, row = await the_object(ctx)
    return {"TagSet": tagging.shown(row["tags"]), **_version(bucket, row)}


@operation("PutObjectTagging", on=on_stored(of_version="s3:PutObjectVersionTagging"))
async def put_object_tagging(ctx: Context, request: Request) -> dict[str, Any]:
    """Replace a version's tags. Raises InvalidTag, BadRequest."""
    bucket, row = await the_object(ctx)
    tags = tagging.of_set(request["Tagging"], tagging.MOST_OF_OBJECT)
    await events.note(ctx, bucket, "ObjectTagging:Put", row["key"], row)
    await changes.put_tags(ctx.db, row, tags)
    return _version(bucket, row)


@operation("DeleteObjectTagging", on=on_stored(of_version="s3:DeleteObjectVersionTagging"))
async def delete_object_tagging(ctx: Context, request: Request) -> dict[str, Any]:
    """Take a version's tags away."""
    bucket, row = await the_object(ctx)
    await events.note(ctx, bucket, "ObjectTagging:Delete", row["key"], row)
    await changes.put_tags(ctx.db, row, None)
    return _version(bucket, row)


def _version(bucket: Bucket, row: Any) -> dict[str, Any]:
    return {"VersionId": versions.shown(row["version"])} if bucket.versioning is not None else {}
