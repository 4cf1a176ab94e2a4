"""Whether a bucket keeps versions."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.services.s3 import locks
from controlplane.services.s3.buckets import on_bucket, the_bucket
from controlplane.services.s3.errors import IllegalVersioningConfiguration, InvalidBucketState, MalformedXML
from controlplane.services.s3.queries import buckets as queries
from controlplane.services.s3.storing import ENABLED, SUSPENDED


@operation("PutBucketVersioning", on=on_bucket)
async def put_bucket_versioning(ctx: Context, request: Request) -> None:
    """Begin to keep versions, or stop. Raises MalformedXML, InvalidBucketState and their kin."""
    bucket = the_bucket(ctx)
    status = request["VersioningConfiguration"].get("Status")
    if status is None:
        raise IllegalVersioningConfiguration
    if status not in (ENABLED, SUSPENDED):
        raise MalformedXML
    if status == SUSPENDED and locks.is_enabled(bucket):
        raise InvalidBucketState(
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        )
    await queries.put_versioning(ctx.db, bucket.id, status)


@operation("GetBucketVersioning", on=on_bucket)
async def get_bucket_versioning(ctx: Context, request: Request) -> dict[str, Any]:
    """`Enabled`, `Suspended`, or nothing where it never was."""
    status = the_bucket(ctx).versioning
    return {"Status": status} if status else {}
