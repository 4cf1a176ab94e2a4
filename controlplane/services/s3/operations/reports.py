"""Analytics, inventory, metrics and intelligent tiering: up to a thousand named configurations of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.core.portable import native, portable
from controlplane.services.s3 import configurations as check
from controlplane.services.s3.buckets import Bucket, on_bucket_for, the_bucket
from controlplane.services.s3.errors import InvalidArgument, MalformedXML, S3Error
from controlplane.services.s3.inventory import INVENTORY
from controlplane.services.s3.queries import buckets as queries

_MOST = 1000
_PAGE = 100
_ANALYTICS_GET, _ANALYTICS_PUT = "s3:GetAnalyticsConfiguration", "s3:PutAnalyticsConfiguration"
_INVENTORY_GET, _INVENTORY_PUT = "s3:GetInventoryConfiguration", "s3:PutInventoryConfiguration"
_METRICS_GET, _METRICS_PUT = "s3:GetMetricsConfiguration", "s3:PutMetricsConfiguration"
_TIERING_GET, _TIERING_PUT = "s3:GetIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration"


class NoSuchConfiguration(S3Error):
    code, status, text = "NoSuchConfiguration", 404, "The specified configuration does not exist."


class IdMismatch(S3Error):
    code, text = "IdMismatch", "Document ID does not match the specified configuration ID."


class TooManyConfigurations(S3Error):
    code = "TooManyConfigurations"
    text = "You are attempting to create a new configuration but have already reached the 1,000-configuration limit."


def _all(bucket: Bucket, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = bucket.settings.get(kind) or {}
    return found


async def _put(ctx: Context, kind: str, id: str, document: Mapping[str, Any]) -> None:
    bucket = the_bucket(ctx)
    if document.get("Id") != id:
        raise IdMismatch if kind == "inventory" else MalformedXML
    if not 1 <= len(id) <= 64:
        raise InvalidArgument("The ID of a configuration has 1 to 64 characters.", ArgumentName="id")
    held = _all(bucket, kind)
    if id not in held and len(held) >= _MOST:
        raise TooManyConfigurations
    await queries.put_setting(ctx.db, bucket.id, kind, {**held, id: portable(document)})
    if kind != "metrics":
        ctx.answer_status = 204


def _get(ctx: Context, kind: str, id: str) -> Any:
    found = _all(the_bucket(ctx), kind).get(id)
    if found is None:
        raise NoSuchConfiguration
    return native(found)


async def _delete(ctx: Context, kind: str, id: str) -> None:
    bucket = the_bucket(ctx)
    held = _all(bucket, kind)
    if id not in held:
        raise NoSuchConfiguration
    await queries.put_setting(ctx.db, bucket.id, kind, {name: item for name, item in held.items() if name != id})


def _list(ctx: Context, kind: str, request: Mapping[str, Any], member: str) -> dict[str, Any]:
    held = sorted(_all(the_bucket(ctx), kind).items())
    token = request.get("ContinuationToken")
    after = ""
    if token:
        try:
            after = str(decode_token(token))
        except ValueError as error:
            raise InvalidArgument(
                "The continuation token provided is incorrect", ArgumentName="continuation-token"
            ) from error
    behind = [(name, item) for name, item in held if name > after]
    answer: dict[str, Any] = {"IsTruncated": len(behind) > _PAGE}
    if behind:
        answer[member] = [native(item) for _, item in behind[:_PAGE]]
    if len(behind) > _PAGE:
        answer["NextContinuationToken"] = encode_token(behind[_PAGE - 1][0])
    return {**answer, "ContinuationToken": token} if token else answer


@operation("PutBucketAnalyticsConfiguration", on=on_bucket_for(_ANALYTICS_PUT), action=_ANALYTICS_PUT)
async def put_analytics(ctx: Context, request: Request) -> None:
    """Keep a configuration."""
    await _put(ctx, "analytics", request["Id"], request["AnalyticsConfiguration"])


@operation("GetBucketAnalyticsConfiguration", on=on_bucket_for(_ANALYTICS_GET), action=_ANALYTICS_GET)
async def get_analytics(ctx: Context, request: Request) -> dict[str, Any]:
    """One configuration. Raises NoSuchConfiguration."""
    return {"AnalyticsConfiguration": _get(ctx, "analytics", request["Id"])}


@operation("ListBucketAnalyticsConfigurations", on=on_bucket_for(_ANALYTICS_GET), action=_ANALYTICS_GET)
async def list_analytics(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of configurations by id."""
    return _list(ctx, "analytics", request, "AnalyticsConfigurationList")


@operation("DeleteBucketAnalyticsConfiguration", on=on_bucket_for(_ANALYTICS_PUT), action=_ANALYTICS_PUT)
async def delete_analytics(ctx: Context, request: Request) -> None:
    """Remove one. Raises NoSuchConfiguration."""
    await _delete(ctx, "analytics", request["Id"])


@operation("PutBucketInventoryConfiguration", on=on_bucket_for(_INVENTORY_PUT), action=_INVENTORY_PUT)
async def put_inventory(ctx: Context, request: Request) -> None:
    """Keep a configuration. Raises MalformedXML, InvalidS3DestinationBucket."""
    document = request["InventoryConfiguration"]
    await check.inventory(ctx, document)
    await _put(ctx, "inventory", request["Id"], document)
    await ctx.wake(INVENTORY, f"{the_bucket(ctx).id}.{request['Id']}")


@operation("GetBucketInventoryConfiguration", on=on_bucket_for(_INVENTORY_GET), action=_INVENTORY_GET)
async def get_inventory(ctx: Context, request: Request) -> dict[str, Any]:
    """One configuration. Raises NoSuchConfiguration."""
    return {"InventoryConfiguration": _get(ctx, "inventory", request["Id"])}


@operation("ListBucketInventoryConfigurations", on=on_bucket_for(_INVENTORY_GET), action=_INVENTORY_GET)
async def list_inventory(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of configurations by id."""
    return _list(ctx, "inventory", request, "InventoryConfigurationList")


@operation("DeleteBucketInventoryConfiguration", on=on_bucket_for(_INVENTORY_PUT), action=_INVENTORY_PUT)
async def delete_inventory(ctx: Context, request: Request) -> None:
    """Remove one. Raises NoSuchConfiguration."""
    await _delete(ctx, "inventory", request["Id"])


@operation("PutBucketMetricsConfiguration", on=on_bucket_for(_METRICS_PUT), action=_METRICS_PUT)
async def put_metrics(ctx: Context, request: Request) -> None:
    """Keep a configuration."""
    await _put(ctx, "metrics", request["Id"], request["MetricsConfiguration"])


@operation("GetBucketMetricsConfiguration", on=on_bucket_for(_METRICS_GET), action=_METRICS_GET)
async def get_metrics(ctx: Context, request: Request) -> dict[str, Any]:
    """One configuration. Raises NoSuchConfiguration."""
    return {"MetricsConfiguration": _get(ctx, "metrics", request["Id"])}


@operation("ListBucketMetricsConfigurations", on=on_bucket_for(_METRICS_GET), action=_METRICS_GET)
async def list_metrics(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of configurations by id."""
    return _list(ctx, "metrics", request, "MetricsConfigurationList")


@operation("DeleteBucketMetricsConfiguration", on=on_bucket_for(_METRICS_PUT), action=_METRICS_PUT)
async def delete_metrics(ctx: Context, request: Request) -> None:
    """Remove one. Raises NoSuchConfiguration."""
    await _delete(ctx, "metrics", request["Id"])


@operation("PutBucketIntelligentTieringConfiguration", on=on_bucket_for(_TIERING_PUT), action=_TIERING_PUT)
async def put_tiering(ctx: Context, request: Request) -> None:
    """Keep a configuration. Raises MalformedXML."""
    document = request["IntelligentTieringConfiguration"]
    check.tiering(document)
    await _put(ctx, "tiering", request["Id"], document)


@operation("GetBucketIntelligentTieringConfiguration", on=on_bucket_for(_TIERING_GET), action=_TIERING_GET)
async def get_tiering(ctx: Context, request: Request) -> dict[str, Any]:
    """One configuration. Raises NoSuchConfiguration."""
    return {"IntelligentTieringConfiguration": _get(ctx, "tiering", request["Id"])}


@operation("ListBucketIntelligentTieringConfigurations", on=on_bucket_for(_TIERING_GET), action=_TIERING_GET)
async def list_tiering(ctx: Context, request: Request) -> dict[str, Any]:
    """A page of configurations by id."""
    return _list(ctx, "tiering", request, "IntelligentTieringConfigurationList")


@operation("DeleteBucketIntelligentTieringConfiguration", on=on_bucket_for(_TIERING_PUT), action=_TIERING_PUT)
async def delete_tiering(ctx: Context, request: Request) -> None:
    """Remove one. Raises NoSuchConfiguration."""
    await _delete(ctx, "tiering", request["Id"])
