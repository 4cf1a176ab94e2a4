"""What S3 does for S3 Control: it keeps an account's block of public access, and access points.

S3 Control has asked for permission, on the account or the access point, before it comes here.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson

from controlplane.access import named_principals
from controlplane.core.context import Context
from controlplane.core.offer import offer
from controlplane.services.s3 import access_points, buckets, publicity
from controlplane.services.s3.access_points import AccessPointAlreadyOwnedByYou, NoSuchAccessPoint, TooManyAccessPoints
from controlplane.services.s3.errors import AccessDenied, InvalidRequest, NoSuchBucket
from controlplane.services.s3.operations.policies import BLOCKS, checked
from controlplane.services.s3.queries import access_points as point_queries
from controlplane.services.s3.queries import buckets as queries

_ALIAS_LETTERS = string.ascii_lowercase + string.digits
_OF_NAME, _RANDOM = 20, 34
QUOTA = "s3/L-FAABEEBA"


@offer("AccountBlock")
async def account_block(ctx: Context, request: Mapping[str, Any]) -> Any:
    """The caller's account's block; None where there is none."""
    return await queries.account_block(ctx.db, ctx.account_id)


@offer("PutAccountBlock")
async def put_account_block(ctx: Context, request: Mapping[str, Any]) -> None:
    """Keep `Block`; None removes it."""
    given = request["Block"]
    block = None if given is None else {name: bool(given.get(name)) for name in BLOCKS}
    await queries.put_account_block(ctx.db, ctx.account_id, block)


@offer("CreateAccessPoint")
async def create_access_point(ctx: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    """Make `Name` for `Bucket` of `Owner`, with `Block` and perhaps `Vpc`; blocked is what is not let in expressly.

    Raises NoSuchBucket, AccessDenied, InvalidRequest, TooManyAccessPoints, AccessPointAlreadyOwnedByYou.
    """
    name = request["Name"]
    bucket = await buckets.find(ctx, request["Bucket"])
    if bucket is None:
        raise NoSuchBucket(BucketName=request["Bucket"])
    if bucket.account_id != (request.get("Owner") or ctx.account_id):
        raise AccessDenied
    if bucket.region != ctx.region:
        raise InvalidRequest("The access point and its bucket must be in the same Region.")
    count = partial(point_queries.count, ctx.db, ctx.account_id, ctx.region)
    await ctx.within_quota(QUOTA, count, TooManyAccessPoints.beyond)
    host_name = access_points.host_name(ctx.account_id, name)
    await point_queries.lock(ctx.db, host_name)
    if await queries.owner(ctx.db, host_name) is not None:
        raise InvalidRequest("A bucket has the host name that this access point would have.")
    alias = f"{name[:_OF_NAME]}-{''.join(secrets.choice(_ALIAS_LETTERS) for _ in range(_RANDOM))}-s3alias"
    block = {kind: bool((request.get("Block") or {}).get(kind, True)) for kind in BLOCKS}
    columns = (name, alias, bucket.name, bucket.account_id, block, request.get("Vpc"))
    if not await point_queries.insert(ctx.db, ctx.account_id, ctx.region, *columns):
        raise AccessPointAlreadyOwnedByYou
    return await access_point(ctx, request)


async def _point(ctx: Context, name: str) -> Any:
    row = await point_queries.point(ctx.db, ctx.account_id, ctx.region, name)
    if row is None:
        raise NoSuchAccessPoint(AccessPointName=name)
    return row


def _described(row: Any) -> dict[str, Any]:
    point = access_points.of_row(row)
    return {
        "Name": point.name, "Arn": point.arn, "Alias": point.alias, "Bucket": point.bucket,
        "Owner": point.bucket_account_id, "Block": dict(point.block), "Vpc": point.vpc_id, "Origin": point.origin,
        "CreatedAt": point.created_at, "Policy": row["policy_text"], "IsPublic": publicity.is_public(point.policy),
    }  # fmt: skip


@offer("AccessPoint")
async def access_point(ctx: Context, request: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's access point `Name`. Raises NoSuchAccessPoint."""
    return _described(await _point(ctx, request["Name"]))


@offer("AccessPoints")
async def list_access_points(ctx: Context, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """At most `Most` of the caller's access points behind the name `After`, perhaps of one `Bucket`."""
    bucket, after, most = request.get("Bucket"), request["After"], request["Most"]
    rows = await point_queries.page(ctx.db, ctx.account_id, ctx.region, bucket, after, most)
    return [_described(row) for row in rows]


@offer("DeleteAccessPoint")
async def delete_access_point(ctx: Context, request: Mapping[str, Any]) -> None:
    """Delete the caller's access point `Name`. Raises NoSuchAccessPoint."""
    if not await point_queries.delete(ctx.db, ctx.account_id, ctx.region, request["Name"]):
        raise NoSuchAccessPoint(AccessPointName=request["Name"])


@offer("PutAccessPointPolicy")
async def put_access_point_policy(ctx: Context, request: Mapping[str, Any]) -> None:
    """Give the caller's access point `Name` the policy `Policy`; None removes it. Raises MalformedPolicy."""
    row, document = await _point(ctx, request["Name"]), request["Policy"]
    policy = None
    if document is not None:
        point = access_points.of_row(row)
        policy = await checked(ctx, document, partial(_is_of, point.arn))
        bucket = await buckets.find(ctx, point.bucket)
        blocked = point.block.get("BlockPublicPolicy") or (bucket is not None and bucket.blocks("BlockPublicPolicy"))
        if blocked and publicity.is_public(policy):
            raise AccessDenied
        policy = orjson.loads(await named_principals.bind(ctx.db, document))
    await point_queries.put_policy(ctx.db, ctx.account_id, ctx.region, row["name"], policy, document)


def _is_of(arn: str, resource: str) -> bool:
    return resource == arn or resource.startswith(f"{arn}/object/")
