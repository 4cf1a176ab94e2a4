"""Access points of buckets; S3 keeps them, and lets requests through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, Request, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.s3control.accounts import check_account
from controlplane.services.s3control.errors import InvalidRequest, NoSuchAccessPointPolicy

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,48}[a-z0-9]")
_PAGE = 1000


def _on_point(ctx: Context, request: Mapping[str, Any]) -> str:
    return f"arn:aws:s3:{ctx.region}:{ctx.account_id}:accesspoint/{request['Name']}"


@operation("CreateAccessPoint", on=_on_point)
async def create_access_point(ctx: Context, request: Request) -> dict[str, Any]:
    """Give a bucket a further name. Raises NoSuchBucket, AccessPointAlreadyOwnedByYou, InvalidRequest."""
    check_account(ctx, request)
    if not _NAME.fullmatch(request["Name"]) or request["Name"].endswith("-s3alias"):
        raise InvalidRequest("The specified access point name is not valid.")
    asked = {
        "Name": request["Name"],
        "Bucket": request["Bucket"],
        "Owner": request.get("BucketAccountId"),
        "Block": request.get("PublicAccessBlockConfiguration"),
        "Vpc": (request.get("VpcConfiguration") or {}).get("VpcId"),
    }
    made = await ctx.ask("s3", "CreateAccessPoint", asked)
    return {"AccessPointArn": made["Arn"], "Alias": made["Alias"]}


@operation("GetAccessPoint", on=_on_point)
async def get_access_point(ctx: Context, request: Request) -> dict[str, Any]:
    """What an access point leads to. Raises NoSuchAccessPoint."""
    check_account(ctx, request)
    found = await ctx.ask("s3", "AccessPoint", {"Name": request["Name"]})
    return {**_shown(found), "PublicAccessBlockConfiguration": found["Block"], "CreationDate": found["CreatedAt"]}


def _shown(found: Mapping[str, Any]) -> dict[str, Any]:
    told = {
        "Name": found["Name"],
        "NetworkOrigin": found["Origin"],
        "Bucket": found["Bucket"],
        "AccessPointArn": found["Arn"],
        "Alias": found["Alias"],
        "BucketAccountId": found["Owner"],
    }
    return {**told, "VpcConfiguration": {"VpcId": found["Vpc"]}} if found["Vpc"] else told


@operation("ListAccessPoints", on=ANY)
async def list_access_points(ctx: Context, request: Request) -> dict[str, Any]:
    """The account's access points, perhaps of one bucket, by name. Raises InvalidRequest."""
    check_account(ctx, request)
    size = min(request.get("MaxResults") or _PAGE, _PAGE)
    asked = {"Bucket": request.get("Bucket"), "After": _after(request.get("NextToken")), "Most": size + 1}
    found = await ctx.ask("s3", "AccessPoints", asked)
    page = {"AccessPointList": [_shown(point) for point in found[:size]]}
    return {**page, "NextToken": encode_token(found[size - 1]["Name"])} if len(found) > size else page


def _after(token: str | None) -> str:
    try:
        found = decode_token(token) if token else ""
    except ValueError:
        found = None
    if not isinstance(found, str) or "\x00" in found:
        raise InvalidRequest("The specified NextToken is not valid.")
    return found


@operation("DeleteAccessPoint", on=_on_point)
async def delete_access_point(ctx: Context, request: Request) -> None:
    """Take a name from a bucket. Raises NoSuchAccessPoint."""
    check_account(ctx, request)
    await ctx.ask("s3", "DeleteAccessPoint", {"Name": request["Name"]})


@operation("PutAccessPointPolicy", on=_on_point)
async def put_access_point_policy(ctx: Context, request: Request) -> None:
    """Replace an access point's policy. Raises NoSuchAccessPoint, MalformedPolicy, AccessDenied where it is public."""
    check_account(ctx, request)
    await ctx.ask("s3", "PutAccessPointPolicy", {"Name": request["Name"], "Policy": request["Policy"]})


@operation("GetAccessPointPolicy", on=_on_point)
async def get_access_point_policy(ctx: Context, request: Request) -> dict[str, Any]:
    """An access point's policy as it was written. Raises NoSuchAccessPointPolicy."""
    return {"Policy": (await _with_policy(ctx, request))["Policy"]}


@operation("DeleteAccessPointPolicy", on=_on_point)
async def delete_access_point_policy(ctx: Context, request: Request) -> None:
    """Take an access point's policy away. Raises NoSuchAccessPoint."""
    check_account(ctx, request)
    await ctx.ask("s3", "PutAccessPointPolicy", {"Name": request["Name"], "Policy": None})


@operation("GetAccessPointPolicyStatus", on=_on_point)
async def get_access_point_policy_status(ctx: Context, request: Request) -> dict[str, Any]:
    """Whether an access point's policy is public. Raises NoSuchAccessPointPolicy."""
    return {"PolicyStatus": {"IsPublic": (await _with_policy(ctx, request))["IsPublic"]}}


async def _with_policy(ctx: Context, request: Mapping[str, Any]) -> Any:
    check_account(ctx, request)
    found = await ctx.ask("s3", "AccessPoint", {"Name": request["Name"]})
    if found["Policy"] is None:
        raise NoSuchAccessPointPolicy("The specified accesspoint policy does not exist")
    return found
