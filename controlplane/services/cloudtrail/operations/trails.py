"""Making, changing, listing and deleting trails; starting and stopping them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from controlplane.core import tags as core_tags
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import ANY, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.cloudtrail import delivery, queries, selectors, trails
from controlplane.services.cloudtrail.errors import (
    InvalidNextTokenException,
    InvalidParameterCombinationException,
    InvalidS3BucketNameException,
    InvalidS3PrefixException,
    InvalidTagParameterException,
    KmsKeyNotFoundException,
    MaximumNumberOfTrailsExceededException,
    TrailAlreadyExistsException,
    UnsupportedOperationException,
)

if TYPE_CHECKING:
    from types_boto3_cloudtrail.type_defs import (
        CreateTrailRequestTypeDef,
        DeleteTrailRequestTypeDef,
        DescribeTrailsRequestTypeDef,
        GetTrailRequestTypeDef,
        GetTrailStatusRequestTypeDef,
        ListTrailsRequestTypeDef,
        StartLoggingRequestTypeDef,
        StopLoggingRequestTypeDef,
        UpdateTrailRequestTypeDef,
    )

_MOST = 5
_PAGE = 100
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_PREFIX = 200
_SETTINGS = (
    "S3BucketName", "S3KeyPrefix", "SnsTopicName", "IncludeGlobalServiceEvents", "IsMultiRegionTrail",
    "EnableLogFileValidation", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn", "KmsKeyId",
)  # fmt: skip


async def _settings(ctx: Context, request: Any, before: Any) -> dict[str, Any]:
    """The settings after a request, checked."""
    found = {**before, **{name: request[name] for name in _SETTINGS if request.get(name) is not None}}
    if request.get("IsOrganizationTrail"):
        raise UnsupportedOperationException("Trails of organizations are not supported.")
    if not _BUCKET.fullmatch(found.get("S3BucketName", "")):
        raise InvalidS3BucketNameException(f"The specified bucket name is not valid: {found.get('S3BucketName', '')}")
    if len(found.get("S3KeyPrefix", "")) > _LONGEST_PREFIX:
        raise InvalidS3PrefixException(f"The S3 prefix is longer than {_LONGEST_PREFIX} characters.")
    if found.get("IsMultiRegionTrail") and not found.get("IncludeGlobalServiceEvents", True):
        raise InvalidParameterCombinationException("Multi-Region trail must include global service events.")
    if bool(found.get("CloudWatchLogsLogGroupArn")) != bool(found.get("CloudWatchLogsRoleArn")):
        raise InvalidParameterCombinationException("Log group and role of CloudWatch Logs go together.")
    if request.get("KmsKeyId"):
        try:
            key = await ctx.call("kms", "DescribeKey", {"KeyId": request["KmsKeyId"]})
        except AwsError as error:
            raise KmsKeyNotFoundException(f"KmsKeyId {request['KmsKeyId']} is not usable: {error.message}") from error
        found["KmsKeyId"] = key["KeyMetadata"]["Arn"]
    return found


@operation("CreateTrail", on=trails.on_trail())
async def create_trail(ctx: Context, request: CreateTrailRequestTypeDef) -> dict[str, Any]:
    """Make a trail; it logs when it is started. Raises TrailAlreadyExistsException and many that name a setting."""
    name = trails.check_name(request["Name"])
    tags = core_tags.to_dict(request.get("TagsList"))  # type: ignore[arg-type]
    core_tags.check(tags, code=InvalidTagParameterException.code)
    if await queries.find(ctx.db, ctx.account_id, ctx.region, name) is not None:
        raise TrailAlreadyExistsException(f"Trail {name} already exists for customer: {ctx.account_id}")
    if await queries.count(ctx) >= _MOST:
        raise MaximumNumberOfTrailsExceededException(
            f"User: {ctx.account_id} already has {_MOST} trails in {ctx.region}."
        )
    settings = await _settings(ctx, request, {})
    row = {"account_id": ctx.account_id, "region": ctx.region, "name": name, "settings": settings, "tags": tags}
    await delivery.check(ctx, row)
    await ctx.db.insert("cloudtrail_trails", **row)
    return trails.settings(row)


@operation("UpdateTrail", on=trails.on_trail())
async def update_trail(ctx: Context, request: UpdateTrailRequestTypeDef) -> dict[str, Any]:
    """Change a trail's settings. Raises TrailNotFoundException, InvalidHomeRegionException."""
    row = await trails.find(ctx, request["Name"], change=True)
    settings = await _settings(ctx, request, row["settings"])
    if settings != row["settings"]:
        await delivery.check(ctx, {**row, "settings": settings})
    await queries.set_column(ctx, row, "settings", settings)
    return trails.settings({**row, "settings": settings})


@operation("DeleteTrail", on=trails.on_trail())
async def delete_trail(ctx: Context, request: DeleteTrailRequestTypeDef) -> None:
    """Delete a trail; what it delivered stays. Raises TrailNotFoundException."""
    row = await trails.find(ctx, request["Name"], change=True)
    await queries.delete(ctx, row)
    await tell_recorder(ctx)


@operation("GetTrail", on=trails.on_trail())
async def get_trail(ctx: Context, request: GetTrailRequestTypeDef) -> dict[str, Any]:
    """One trail. Raises TrailNotFoundException."""
    return {"Trail": trails.shown(await trails.find(ctx, request["Name"]))}


@operation("DescribeTrails", on=ANY)
async def describe_trails(ctx: Context, request: DescribeTrailsRequestTypeDef) -> dict[str, Any]:
    """Trails of this region and, as shadows, those of others that are for all; names that name nothing are left out."""
    rows = await queries.visible(ctx)
    if request.get("includeShadowTrails") is False:
        rows = [row for row in rows if row["region"] == ctx.region]
    if names := request.get("trailNameList"):
        wanted = {trails.place(ctx, name) if name.startswith("arn:") else name for name in names}
        places = [(row, (row["account_id"], row["region"], row["name"])) for row in rows]
        rows = [row for row, place in places if place in wanted or row["name"] in wanted]
    return {"trailList": [trails.shown(row) for row in rows]}


@operation("ListTrails", on=ANY)
async def list_trails(ctx: Context, request: ListTrailsRequestTypeDef) -> dict[str, Any]:
    """Names, ARNs and home regions of all the account's trails."""
    rows, start = await queries.every(ctx), 0
    if (token := request.get("NextToken")) is not None:
        try:
            start = int(decode_token(token))
        except (ValueError, TypeError) as error:
            raise InvalidNextTokenException("Invalid Token") from error
    shown = [
        {
            "TrailARN": trails.arn_of(ctx.account_id, row["region"], row["name"]),
            "Name": row["name"],
            "HomeRegion": row["region"],
        }
        for row in rows[start : start + _PAGE]
    ]
    more = {"NextToken": encode_token(start + _PAGE)} if len(rows) > start + _PAGE else {}
    return {"Trails": shown, **more}


@operation("StartLogging", on=trails.on_trail())
async def start_logging(ctx: Context, request: StartLoggingRequestTypeDef) -> None:
    """Deliver what happens from now on. Raises TrailNotFoundException, InvalidHomeRegionException."""
    row = await trails.find(ctx, request["Name"], change=True)
    await queries.set_logging(ctx, row, on=True)
    await tell_recorder(ctx)
    await ctx.wake(trails.DELIVERY, f"{row['account_id']}/{row['region']}/{row['name']}")


@operation("StopLogging", on=trails.on_trail())
async def stop_logging(ctx: Context, request: StopLoggingRequestTypeDef) -> None:
    """Deliver no more. Raises TrailNotFoundException, InvalidHomeRegionException."""
    row = await trails.find(ctx, request["Name"], change=True)
    await queries.set_logging(ctx, row, on=False)
    await tell_recorder(ctx)


async def tell_recorder(ctx: Context) -> None:
    """Have data events recorded as far as some trail that logs selects them."""
    wanted = [selectors.data_types(item) for item in await queries.selectors_of_logging(ctx.db, ctx.account_id)]
    await queries.select(ctx.db, ctx.account_id, sorted(set().union(*wanted)))


@operation("GetTrailStatus", on=trails.on_trail())
async def get_trail_status(ctx: Context, request: GetTrailStatusRequestTypeDef) -> dict[str, Any]:
    """Whether a trail logs, and how its deliveries went. Raises TrailNotFoundException."""
    row = await trails.find(ctx, request["Name"])
    found: dict[str, Any] = {"IsLogging": row["logging"]}
    for name, value in row["status"].items():
        found[name] = datetime.fromtimestamp(value, UTC) if isinstance(value, int) else value
    for name, text, column in (
        ("StartLoggingTime", "TimeLoggingStarted", "started_at"),
        ("StopLoggingTime", "TimeLoggingStopped", "stopped_at"),
    ):
        if row[column] is not None:
            found |= {name: row[column], text: row[column].strftime("%Y-%m-%dT%H:%M:%SZ")}
    return found
