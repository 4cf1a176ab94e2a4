"""Buckets: made, found, listed, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Request, Resource, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.s3 import buckets, compatibility, grants, names, owners, tagging
from controlplane.services.s3.access_points import BucketHasAccessPointsAttached
from controlplane.services.s3.buckets import ENFORCED, PREFERRED, WRITER, on_bucket, on_bucket_for, the_bucket
from controlplane.services.s3.errors import (
    AccessDenied,
    BucketAlreadyExists,
    BucketAlreadyOwnedByYou,
    BucketNotEmpty,
    IllegalLocationConstraint,
    InvalidArgument,
    InvalidLocationConstraint,
    S3Error,
)
from controlplane.services.s3.queries import access_points as point_queries
from controlplane.services.s3.queries import buckets as queries

_FIRST = "us-east-1"
_OLD_EUROPE, _EUROPE = "EU", "eu-west-1"
_LARGEST_PAGE = 10_000
_PRIVATE = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}


class InvalidBucketAcl(S3Error):
    code = "InvalidBucketAclWithObjectOwnership"
    text = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"


class TooManyBuckets(S3Error):
    code, text = "TooManyBuckets", "You have attempted to create more buckets than allowed"

    @classmethod
    def beyond(cls, limit: int) -> TooManyBuckets:
        return cls()


def _new(ctx: Context, request: Any) -> Resource:
    conditions = buckets.conditions(request, None, ctx.account_id)
    if location := (request.get("CreateBucketConfiguration") or {}).get("LocationConstraint"):
        conditions["s3:locationconstraint"] = location
    return Resource(f"arn:aws:s3:::{request['Bucket']}", conditions=conditions)


@operation("CreateBucket", on=_new)
async def create_bucket(ctx: Context, request: Request) -> dict[str, Any]:
    """Make a bucket. Raises BucketAlreadyExists, BucketAlreadyOwnedByYou, InvalidBucketName."""
    if ctx.principal.kind == "anonymous":
        raise AccessDenied
    name = request["Bucket"]
    names.check(name)
    configuration = request.get("CreateBucketConfiguration") or {}
    region = _region(ctx, configuration)
    if await point_queries.has_host_name(ctx.db, name):
        raise BucketAlreadyExists(BucketName=name)
    settings = await _settings(ctx, request)
    if configuration.get("LocationConstraint") == _OLD_EUROPE:
        settings["location"] = _OLD_EUROPE
    tags = tagging.of_new_bucket(configuration.get("Tags"))
    locked = bool(request.get("ObjectLockEnabledForBucket"))
    if locked:
        settings["object_lock"] = {}
    await ctx.within_quota("s3/L-DC2B2D3D", lambda: queries.count(ctx.db, ctx.account_id), TooManyBuckets.beyond)
    if not await queries.insert(ctx, name, region, settings, tags, versioning="Enabled" if locked else None):
        await _refuse_taken(ctx, name, region, settings, tagged=bool(tags))
        await queries.reset_acl(ctx.db, name, settings.get("acl"))
    location = f"/{name}" if region == _FIRST else f"{ctx.endpoint}/{name}/"
    return {"Location": location, "BucketArn": f"arn:aws:s3:::{name}"}


async def _refuse_taken(ctx: Context, name: str, region: str, settings: Mapping[str, Any], *, tagged: bool) -> None:
    """The owner may create a bucket of us-east-1 again, as ever, which gives it a new list; all else is refused, and
    tags too, which came later."""
    owner = await queries.owner(ctx.db, name)
    if owner is None or owner["account_id"] != ctx.account_id:
        raise BucketAlreadyExists(BucketName=name)
    if owner["region"] != _FIRST or region != _FIRST or tagged:
        raise BucketAlreadyOwnedByYou(BucketName=name)
    if compatibility.ceph(ctx.cloud) and owner["settings"].get("acl") != settings.get("acl"):
        raise BucketAlreadyExists(BucketName=name)


def _region(ctx: Context, configuration: Mapping[str, Any]) -> str:
    asked = configuration.get("LocationConstraint")
    if not asked:
        if ctx.region != _FIRST:
            raise IllegalLocationConstraint(
                "The unspecified location constraint is incompatible for the region specific endpoint this request was "
                "sent to."
            )
        return _FIRST
    region = _EUROPE if asked == _OLD_EUROPE else str(asked)
    if ctx.region not in (_FIRST, region):
        raise IllegalLocationConstraint(
            f"The {asked} location constraint is incompatible for the region specific endpoint this request was sent "
            "to."
        )
    if asked == _FIRST or region not in ctx.cloud.regions:
        raise InvalidLocationConstraint(LocationConstraint=asked)
    return region


async def _settings(ctx: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    private = ctx.cloud.new_buckets == "private"
    ownership = request.get("ObjectOwnership")
    if ownership is None and private:
        ownership = ENFORCED
    if ownership not in (None, ENFORCED, PREFERRED, WRITER):
        raise InvalidArgument(
            "Invalid x-amz-object-ownership header: " + str(ownership)[:100], ArgumentName="x-amz-object-ownership"
        )
    settings: dict[str, Any] = {"ownership": ownership} if ownership else {}
    if private:
        settings["public_access_block"] = _PRIVATE
    acl = await grants.given(ctx, request, ctx.account_id, ctx.account_id)
    if acl is None or acl == grants.default(ctx.account_id):
        return settings
    if ownership == ENFORCED:
        raise InvalidBucketAcl
    if private and grants.is_public(acl):
        raise AccessDenied
    return {**settings, "acl": acl}


@operation("HeadBucket", on=on_bucket_for("s3:ListBucket"), action="s3:ListBucket")
async def head_bucket(ctx: Context, request: Request) -> dict[str, Any]:
    """Whether a bucket is there, and where. Raises NoSuchBucket."""
    bucket = the_bucket(ctx)
    ctx.answer_headers |= {"x-amz-bucket-region": bucket.region, "Content-Type": "application/xml"}
    return {"BucketArn": bucket.arn, "BucketRegion": bucket.region, "AccessPointAlias": False}


@operation("GetBucketLocation", on=on_bucket)
async def get_bucket_location(ctx: Context, request: Request) -> dict[str, Any]:
    """The region of a bucket; nothing for us-east-1."""
    bucket = the_bucket(ctx)
    location = bucket.settings.get("location", bucket.region)
    return {"LocationConstraint": None if location == _FIRST else location}


@operation("ListBuckets", on="arn:aws:s3:::*", action="s3:ListAllMyBuckets")
async def list_buckets(ctx: Context, request: Request) -> dict[str, Any]:
    """The caller's account's buckets by name; a page only where MaxBuckets asks for one."""
    if ctx.principal.kind == "anonymous":
        raise AccessDenied
    most = request.get("MaxBuckets")
    if most is not None and not 1 <= most <= _LARGEST_PAGE:
        raise InvalidArgument(
            "Argument max-buckets must be an integer between 1 and 10000",
            ArgumentName="max-buckets",
            ArgumentValue=most,
        )
    within = request.get("BucketRegion")
    if within is not None and within not in ctx.cloud.regions:
        raise InvalidArgument(f"Argument value {within[:64]} is not a valid AWS Region", ArgumentName="bucket-region")
    size, prefix = most or _LARGEST_PAGE, request.get("Prefix") or ""
    rows = await queries.page(ctx.db, ctx.account_id, within, prefix, _after(request), size + 1)
    # The plain call is answered as it ever was, one that asks for something with what was added since.
    asked = any(request.get(name) is not None for name in ("MaxBuckets", "BucketRegion", "Prefix", "ContinuationToken"))
    shown = [
        {
            "Name": row["name"],
            "CreationDate": row["created_at"],
            **({"BucketRegion": row["region"], "BucketArn": f"arn:aws:s3:::{row['name']}"} if asked else {}),
        }
        for row in rows[:size]
    ]
    answer: dict[str, Any] = {"Owner": grants.owner(ctx.account_id), "Buckets": shown}
    if prefix:
        answer["Prefix"] = prefix
    if len(rows) > size:
        answer["ContinuationToken"] = encode_token(rows[size - 1]["name"])
    return await owners.named(ctx, answer)


def _after(request: Mapping[str, Any]) -> str:
    token = request.get("ContinuationToken")
    if not token:
        return ""
    try:
        return str(decode_token(token))
    except ValueError as error:
        raise InvalidArgument(
            "The continuation token provided is incorrect", ArgumentName="continuation-token", ArgumentValue=token
        ) from error


@operation("DeleteBucket", on=on_bucket)
async def delete_bucket(ctx: Context, request: Request) -> None:
    """Delete a bucket that holds nothing. Raises BucketNotEmpty."""
    bucket = the_bucket(ctx)
    if await point_queries.any_of(ctx.db, bucket.name, bucket.account_id):
        raise BucketHasAccessPointsAttached(BucketName=bucket.name)
    if not await queries.delete(ctx.db, bucket.id):
        raise BucketNotEmpty(BucketNotEmpty.of_versions if bucket.versioning else None, BucketName=bucket.name)
    await ctx.wake("s3.remains", str(bucket.id))
