"""Object lock: of buckets and of versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Request, Resource, operation
from controlplane.services.s3 import locks, storing
from controlplane.services.s3.buckets import Bucket, on_bucket_for, the_bucket
from controlplane.services.s3.errors import (
    InvalidArgument,
    InvalidBucketState,
    InvalidRequest,
    MalformedXML,
    NoSuchKey,
    S3Error,
)
from controlplane.services.s3.objects import on_stored, the_object
from controlplane.services.s3.queries import buckets as queries
from controlplane.services.s3.queries import changes
from controlplane.services.s3.queries import objects as stored
from controlplane.services.s3.storing import ENABLED

_GET, _PUT = "s3:GetBucketObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"


class InvalidRetentionPeriod(S3Error):
    code, status = "InvalidRetentionPeriod", 400
    text = "The retention period must be a positive integer value."


class ObjectLockConfigurationNotFound(S3Error):
    code, status = "ObjectLockConfigurationNotFoundError", 404
    text = "Object Lock configuration does not exist for this bucket"


class NoSuchObjectLockConfiguration(S3Error):
    code, status = "NoSuchObjectLockConfiguration", 404
    text = "The specified object does not have a ObjectLock configuration"


@operation("GetObjectLockConfiguration", on=on_bucket_for(_GET), action=_GET)
async def get_object_lock_configuration(ctx: Context, request: Request) -> dict[str, Any]:
    """Whether versions can be locked, and how new ones are. Raises ObjectLockConfigurationNotFound."""
    bucket = the_bucket(ctx)
    if not locks.is_enabled(bucket):
        raise ObjectLockConfigurationNotFound(BucketName=bucket.name)
    configuration: dict[str, Any] = {"ObjectLockEnabled": ENABLED}
    if rule := bucket.settings["object_lock"]:
        configuration["Rule"] = rule
    return {"ObjectLockConfiguration": configuration}


@operation("PutObjectLockConfiguration", on=on_bucket_for(_PUT), action=_PUT)
async def put_object_lock_configuration(ctx: Context, request: Request) -> dict[str, Any]:
    """Let versions be locked, for ever, and say how new ones are. Raises InvalidBucketState, MalformedXML."""
    bucket = the_bucket(ctx)
    configuration = request.get("ObjectLockConfiguration") or {}
    if configuration.get("ObjectLockEnabled") != ENABLED:
        raise MalformedXML
    if bucket.versioning != ENABLED:
        raise InvalidBucketState("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
    rule = configuration.get("Rule")
    if rule is not None:
        _check(rule)
    await queries.put_setting(ctx.db, bucket.id, "object_lock", rule or {})
    return {}


def _check(rule: Mapping[str, Any]) -> None:
    retention = rule.get("DefaultRetention") or {}
    days, years = retention.get("Days"), retention.get("Years")
    if retention.get("Mode") not in (locks.GOVERNANCE, locks.COMPLIANCE) or (days is None) == (years is None):
        raise MalformedXML
    if (days or years or 0) <= 0:
        raise InvalidRetentionPeriod("Default retention period must be a positive integer value.")
    if (days or 0) > 36500 or (years or 0) > 100:
        raise InvalidArgument("Default retention period too large")


async def _locked(ctx: Context) -> tuple[Bucket, Any]:
    bucket, row = await the_object(ctx)
    if not locks.is_enabled(bucket):
        raise InvalidRequest("Bucket is missing Object Lock Configuration")
    return bucket, row


async def _to_change(ctx: Context) -> Any:
    """The version as it stands, which nobody else changes or removes up to the commit. Raises NoSuchKey."""
    bucket, row = await _locked(ctx)
    await storing.lock(ctx.db, bucket.id, row["key"])
    now = await stored.version(ctx.db, bucket.id, row["key"], row["version"], row["place"])
    if now is None or now["place"] != row["place"]:
        raise NoSuchKey(Key=ctx.request["Key"])
    return now


@operation("PutObjectRetention", on=on_stored())
async def put_object_retention(ctx: Context, request: Request) -> dict[str, Any]:
    """Keep a version from removal until a time; what is kept already is only kept longer, unless it is bypassed."""
    row = await _to_change(ctx)
    retention = request.get("Retention") or {}
    await locks.check_change(ctx, row, retention, request, _resource(ctx))
    await changes.put_retention(ctx.db, row, retention.get("Mode"), retention.get("RetainUntilDate"))
    return {}


def _resource(ctx: Context) -> Resource:
    found: Resource = ctx.resources[0]
    return found


@operation("GetObjectRetention", on=on_stored())
async def get_object_retention(ctx: Context, request: Request) -> dict[str, Any]:
    """Until when a version is kept. Raises NoSuchObjectLockConfiguration."""
    _, row = await _locked(ctx)
    if row["lock_mode"] is None:
        raise NoSuchObjectLockConfiguration
    return {"Retention": {"Mode": row["lock_mode"], "RetainUntilDate": row["lock_until"]}}


@operation("PutObjectLegalHold", on=on_stored())
async def put_object_legal_hold(ctx: Context, request: Request) -> dict[str, Any]:
    """Keep a version from removal until the hold is lifted."""
    await the_object(ctx)
    status = (request.get("LegalHold") or {}).get("Status")
    if status not in ("ON", "OFF"):
        raise MalformedXML
    row = await _to_change(ctx)
    await changes.put_legal_hold(ctx.db, row, held=status == "ON")
    return {}


@operation("GetObjectLegalHold", on=on_stored())
async def get_object_legal_hold(ctx: Context, request: Request) -> dict[str, Any]:
    """Whether a version is held. Raises NoSuchObjectLockConfiguration."""
    _, row = await _locked(ctx)
    if not row["legal_hold"] and not row["facts"].get("hold"):
        raise NoSuchObjectLockConfiguration
    return {"LegalHold": {"Status": "ON" if row["legal_hold"] else "OFF"}}
