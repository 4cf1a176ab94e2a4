"""Settings of a bucket that hold one document each, checked and kept: logging, website, lifecycle and their kin."""

from __future__ import annotations

from typing import Any

from controlplane.core import storage_clock as clock
from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.core.portable import native, portable
from controlplane.services.s3 import compatibility
from controlplane.services.s3 import configurations as check
from controlplane.services.s3.buckets import Bucket, on_bucket, on_bucket_for, the_bucket
from controlplane.services.s3.errors import InvalidRequest, S3Error
from controlplane.services.s3.lifecycle.rules import LIFECYCLE
from controlplane.services.s3.queries import buckets as queries

_LIFECYCLE_GET, _LIFECYCLE_PUT = "s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"
_REPLICATION_GET, _REPLICATION_PUT = "s3:GetReplicationConfiguration", "s3:PutReplicationConfiguration"
_ACCELERATE_GET, _ACCELERATE_PUT = "s3:GetAccelerateConfiguration", "s3:PutAccelerateConfiguration"
_NOTIFICATION_GET, _NOTIFICATION_PUT = "s3:GetBucketNotification", "s3:PutBucketNotification"


class NoSuchLifecycleConfiguration(S3Error):
    code, status = "NoSuchLifecycleConfiguration", 404
    text = "The lifecycle configuration does not exist"


class NoSuchWebsiteConfiguration(S3Error):
    code, status = "NoSuchWebsiteConfiguration", 404
    text = "The specified bucket does not have a website configuration"


class ReplicationConfigurationNotFound(S3Error):
    code, status = "ReplicationConfigurationNotFoundError", 404
    text = "The replication configuration was not found"


def _held(bucket: Bucket, name: str, missing: type[S3Error]) -> dict[str, Any]:
    found = bucket.settings.get(name)
    if found is None:
        raise missing(BucketName=bucket.name)
    document: dict[str, Any] = found
    return document


async def _keep(ctx: Context, name: str, document: Any) -> None:
    await queries.put_setting(ctx.db, the_bucket(ctx).id, name, document)


@operation("PutBucketLifecycleConfiguration", on=on_bucket_for(_LIFECYCLE_PUT), action=_LIFECYCLE_PUT)
async def put_bucket_lifecycle_configuration(ctx: Context, request: Request) -> dict[str, Any]:
    """Replace the rules by which objects move and expire. Raises MalformedXML, InvalidArgument, InvalidRequest."""
    given = (request.get("LifecycleConfiguration") or {}).get("Rules") or []
    real_days = ctx.cloud.storage_day >= clock.REAL_DAY
    rules = check.lifecycle(given, real_days=real_days, free_filters=compatibility.ceph(ctx.cloud))
    size = request.get("TransitionDefaultMinimumObjectSize") or check.LEAST_SIZES[0]
    if size not in check.LEAST_SIZES:
        raise InvalidRequest(f"Invalid TransitionDefaultMinimumObjectSize found: {size[:100]}")
    await _keep(ctx, "lifecycle", {"Rules": portable(rules), "TransitionDefaultMinimumObjectSize": size})
    await ctx.wake(LIFECYCLE, str(the_bucket(ctx).id))
    return {"TransitionDefaultMinimumObjectSize": size}


@operation("GetBucketLifecycleConfiguration", on=on_bucket_for(_LIFECYCLE_GET), action=_LIFECYCLE_GET)
async def get_bucket_lifecycle_configuration(ctx: Context, request: Request) -> dict[str, Any]:
    """The rules by which objects move and expire. Raises NoSuchLifecycleConfiguration."""
    held = _held(the_bucket(ctx), "lifecycle", NoSuchLifecycleConfiguration)
    return {**held, "Rules": native(held["Rules"])}


@operation("DeleteBucketLifecycle", on=on_bucket_for(_LIFECYCLE_PUT), action=_LIFECYCLE_PUT)
async def delete_bucket_lifecycle(ctx: Context, request: Request) -> None:
    """Let objects neither move nor expire."""
    await _keep(ctx, "lifecycle", None)


@operation("PutBucketWebsite", on=on_bucket)
async def put_bucket_website(ctx: Context, request: Request) -> None:
    """Say how a bucket answers as a website. Raises InvalidArgument."""
    await _keep(ctx, "website", check.website(request["WebsiteConfiguration"]))


@operation("GetBucketWebsite", on=on_bucket)
async def get_bucket_website(ctx: Context, request: Request) -> dict[str, Any]:
    """How a bucket answers as a website. Raises NoSuchWebsiteConfiguration."""
    return _held(the_bucket(ctx), "website", NoSuchWebsiteConfiguration)


@operation("DeleteBucketWebsite", on=on_bucket)
async def delete_bucket_website(ctx: Context, request: Request) -> None:
    """Be no website any more."""
    await _keep(ctx, "website", None)


@operation("PutBucketReplication", on=on_bucket_for(_REPLICATION_PUT), action=_REPLICATION_PUT)
async def put_bucket_replication(ctx: Context, request: Request) -> None:
    """Say what is copied to which bucket. Raises InvalidRequest, MalformedXML."""
    await _keep(ctx, "replication", await check.replication(ctx, the_bucket(ctx), request["ReplicationConfiguration"]))


@operation("GetBucketReplication", on=on_bucket_for(_REPLICATION_GET), action=_REPLICATION_GET)
async def get_bucket_replication(ctx: Context, request: Request) -> dict[str, Any]:
    """What is copied to which bucket. Raises ReplicationConfigurationNotFound."""
    return {"ReplicationConfiguration": _held(the_bucket(ctx), "replication", ReplicationConfigurationNotFound)}


@operation("DeleteBucketReplication", on=on_bucket_for(_REPLICATION_PUT), action=_REPLICATION_PUT)
async def delete_bucket_replication(ctx: Context, request: Request) -> None:
    """Copy nothing any more."""
    await _keep(ctx, "replication", None)


@operation("PutBucketLogging", on=on_bucket)
async def put_bucket_logging(ctx: Context, request: Request) -> None:
    """Say where access is logged to. Raises InvalidTargetBucketForLogging."""
    bucket, enabled = the_bucket(ctx), request["BucketLoggingStatus"].get("LoggingEnabled")
    if compatibility.ceph(ctx.cloud):
        await check.logging_as_ceph(ctx, bucket, enabled or {})
    await _keep(ctx, "logging", await check.logging(ctx, bucket, enabled) if enabled else None)


@operation("GetBucketLogging", on=on_bucket)
async def get_bucket_logging(ctx: Context, request: Request) -> dict[str, Any]:
    """Where access is logged to, if anywhere."""
    held = the_bucket(ctx).settings.get("logging")
    return {"LoggingEnabled": held} if held else {}


@operation("PutBucketNotificationConfiguration", on=on_bucket_for(_NOTIFICATION_PUT), action=_NOTIFICATION_PUT)
async def put_bucket_notification_configuration(ctx: Context, request: Request) -> None:
    """Say who is told of what happens to objects. Raises InvalidArgument."""
    given = request["NotificationConfiguration"]
    skipped = bool(request.get("SkipDestinationValidation"))
    held = await check.notification(ctx, the_bucket(ctx), given, skipped=skipped)
    await _keep(ctx, "notification", held or None)


@operation("GetBucketNotificationConfiguration", on=on_bucket_for(_NOTIFICATION_GET), action=_NOTIFICATION_GET)
async def get_bucket_notification_configuration(ctx: Context, request: Request) -> dict[str, Any]:
    """Who is told of what happens to objects."""
    return dict(the_bucket(ctx).settings.get("notification") or {})


@operation("PutBucketRequestPayment", on=on_bucket)
async def put_bucket_request_payment(ctx: Context, request: Request) -> None:
    """Say who pays for requests. Raises MalformedXML."""
    await _keep(
        ctx, "payer", check.one_of(request["RequestPaymentConfiguration"].get("Payer"), "BucketOwner", "Requester")
    )


@operation("GetBucketRequestPayment", on=on_bucket)
async def get_bucket_request_payment(ctx: Context, request: Request) -> dict[str, Any]:
    """Who pays for requests."""
    return {"Payer": the_bucket(ctx).settings.get("payer", "BucketOwner")}


@operation("PutBucketAccelerateConfiguration", on=on_bucket_for(_ACCELERATE_PUT), action=_ACCELERATE_PUT)
async def put_bucket_accelerate_configuration(ctx: Context, request: Request) -> None:
    """Begin or suspend the acceleration of transfers. Raises MalformedXML, InvalidRequest."""
    bucket = the_bucket(ctx)
    await _keep(ctx, "accelerate", check.accelerate(bucket, request["AccelerateConfiguration"].get("Status")))


@operation("GetBucketAccelerateConfiguration", on=on_bucket_for(_ACCELERATE_GET), action=_ACCELERATE_GET)
async def get_bucket_accelerate_configuration(ctx: Context, request: Request) -> dict[str, Any]:
    """Whether transfers are accelerated; nothing where that was never said."""
    status = the_bucket(ctx).settings.get("accelerate")
    return {"Status": status} if status else {}
