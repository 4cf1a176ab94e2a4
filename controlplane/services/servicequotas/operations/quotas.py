"""Quotas, their defaults, and requests for more."""

from __future__ import annotations

from typing import Any

from controlplane.access import quotas
from controlplane.access.quotas import Quota
from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.core.tags import MAX_TAGS, to_dict, to_list
from controlplane.services.servicequotas import requests, shapes
from controlplane.services.servicequotas.errors import (
    IllegalArgumentException,
    NoSuchResourceException,
    ResourceAlreadyExistsException,
    TooManyTagsException,
)

_ONE = "SELECT * FROM servicequotas_requests WHERE account_id = $1 AND id = $2"
_HISTORY = """
SELECT * FROM servicequotas_requests WHERE account_id = $1 AND region = ANY($2) AND ($3::text IS NULL OR status = $3)
"""
_TAGS = "SELECT tags FROM servicequotas_tags WHERE account_id = $1 AND arn = $2"
_PUT_TAGS = """
INSERT INTO servicequotas_tags (account_id, arn, tags) VALUES ($1, $2, $3)
ON CONFLICT (account_id, arn) DO UPDATE SET tags = excluded.tags
"""


async def on_quota(ctx: Context, request: Any) -> list[Resource]:
    """The quota that a request names."""
    service, code = request.get("ServiceCode") or "*", request.get("QuotaCode") or "*"
    item = quotas.known(service, code)
    name = f"arn:aws:servicequotas:{ctx.region}:{ctx.account_id}:{service}/{code}"
    arn = shapes.quota_arn(ctx, item) if item is not None else name
    return [Resource(arn, conditions={"servicequotas:service": service, "aws:ResourceAccount": ctx.account_id})]


def _named(request: Any) -> Quota:
    """Raises NoSuchResource."""
    item = quotas.known(request["ServiceCode"], request["QuotaCode"])
    if item is None:
        raise NoSuchResourceException("The request failed because the specified quota does not exist.")
    return item


def _of_service(request: Any) -> list[Quota]:
    """Raises NoSuchResource."""
    found = quotas.of_service(request["ServiceCode"])
    if not found:
        raise NoSuchResourceException("The request failed because the specified service does not exist.")
    return found


@operation("ListServices", on=ANY)
async def list_services(ctx: Context, request: Any) -> dict[str, Any]:
    """Services that have quotas."""
    names = {quota.service: quota.service_name for quota in quotas.catalogue().values()}
    return shapes.page(
        request, "Services", list(names), str, lambda code: {"ServiceCode": code, "ServiceName": names[code]}
    )


@operation("GetAWSDefaultServiceQuota", on=ANY)
async def get_aws_default_service_quota(ctx: Context, request: Any) -> dict[str, Any]:
    """What a quota is for everybody. Raises NoSuchResource."""
    item = _named(request)
    return {"Quota": shapes.quota(ctx, item, item.value, default=True)}


@operation("ListAWSDefaultServiceQuotas", on=ANY)
async def list_aws_default_service_quotas(ctx: Context, request: Any) -> dict[str, Any]:
    """Defaults of a service. Raises NoSuchResource."""

    def show(item: Quota) -> dict[str, Any]:
        return shapes.quota(ctx, item, item.value, default=True)

    return shapes.page(request, "Quotas", _of_service(request), lambda item: str(item.code), show)


@operation("GetServiceQuota", on=on_quota)
async def get_service_quota(ctx: Context, request: Any) -> dict[str, Any]:
    """What holds for the account. Raises NoSuchResource."""
    item = _named(request)
    return {"Quota": shapes.quota(ctx, item, await quotas.limit(ctx.db, ctx.account_id, ctx.region, item.key))}


@operation("ListServiceQuotas", on=ANY)
async def list_service_quotas(ctx: Context, request: Any) -> dict[str, Any]:
    """What holds for the account, for one service. Raises NoSuchResource."""
    wanted = request.get("QuotaCode")
    items = [item for item in _of_service(request) if wanted in (None, item.code)]
    values = {item.key: await quotas.limit(ctx.db, ctx.account_id, ctx.region, item.key) for item in items}

    def show(item: Quota) -> dict[str, Any]:
        return shapes.quota(ctx, item, values[item.key])

    return shapes.page(request, "Quotas", items, lambda item: str(item.code), show)


@operation("RequestServiceQuotaIncrease", on=on_quota)
async def request_service_quota_increase(ctx: Context, request: Any) -> dict[str, Any]:
    """Ask for more; the cloud's owner decides, or its settings. Raises IllegalArgument, ResourceAlreadyExists."""
    item, value = _named(request), float(request["DesiredValue"])
    if not item.adjustable:
        raise IllegalArgumentException("The quota cannot be changed.")
    if value <= await quotas.limit(ctx.db, ctx.account_id, ctx.region, item.key):
        raise IllegalArgumentException("You must provide a quota value greater than the current quota value.")
    row = await requests.ask(ctx.db, ctx.account_id, ctx.region, item, value, _requester(ctx))
    if row is None:
        raise ResourceAlreadyExistsException("Only one open service quota increase request is allowed per quota.")
    if value <= item.value * ctx.cloud.quota_auto_approve:
        await requests.decide(ctx.db, row["id"], approved=True)
    return {"RequestedQuota": shapes.request(ctx, row)}


def _requester(ctx: Context) -> str:
    return f'{{"accountId":"{ctx.account_id}","callerArn":"{ctx.principal.arn}"}}'


@operation("GetRequestedServiceQuotaChange", on=ANY)
async def get_requested_service_quota_change(ctx: Context, request: Any) -> dict[str, Any]:
    """One request. Raises NoSuchResource."""
    row = await ctx.db.fetchrow(_ONE, ctx.account_id, request["RequestId"])
    if row is None:
        raise NoSuchResourceException("The request failed because the specified request does not exist.")
    return {"RequestedQuota": shapes.request(ctx, row)}


@operation("ListRequestedServiceQuotaChangeHistory", on=ANY)
async def list_requested_service_quota_change_history(ctx: Context, request: Any) -> dict[str, Any]:
    """Requests of the account in this region."""
    prefix = f"{request['ServiceCode']}/" if request.get("ServiceCode") else ""
    return await _history(ctx, request, lambda row: row["quota"].startswith(prefix))


@operation("ListRequestedServiceQuotaChangeHistoryByQuota", on=on_quota)
async def list_requested_service_quota_change_history_by_quota(ctx: Context, request: Any) -> dict[str, Any]:
    """Requests of the account for one quota. Raises NoSuchResource."""
    item = _named(request)
    return await _history(ctx, request, lambda row: row["quota"] == item.key)


async def _history(ctx: Context, request: Any, wanted: Any) -> dict[str, Any]:
    regions = [ctx.region, quotas.EVERYWHERE]
    rows = await ctx.db.fetch(_HISTORY, ctx.account_id, regions, request.get("Status"))
    return shapes.page(
        request,
        "RequestedQuotas",
        [row for row in rows if row["quota"] in quotas.catalogue() and wanted(row)],
        lambda row: f"{row['created_at'].isoformat()} {row['id']}",
        lambda row: shapes.request(ctx, row),
    )


def _tagged(ctx: Context, request: Any) -> str:
    """The ARN of an applied quota of the caller's. Raises NoSuchResource."""
    arn = str(request["ResourceARN"])
    if not any(shapes.quota_arn(ctx, item) == arn for item in quotas.catalogue().values()):
        raise NoSuchResourceException("The request failed because the specified resource does not exist.")
    return arn


@operation("TagResource", on=ANY)
async def tag_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Add tags to an applied quota. Raises NoSuchResource, TooManyTags."""
    arn = _tagged(ctx, request)
    tags = {**(await ctx.db.fetchval(_TAGS, ctx.account_id, arn) or {}), **to_dict(request["Tags"])}
    if len(tags) > MAX_TAGS:
        raise TooManyTagsException("You've exceeded the number of tags allowed for a resource.")
    await ctx.db.execute(_PUT_TAGS, ctx.account_id, arn, tags)
    return {}


@operation("UntagResource", on=ANY)
async def untag_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Remove tags. Raises NoSuchResource."""
    arn = _tagged(ctx, request)
    tags = dict(await ctx.db.fetchval(_TAGS, ctx.account_id, arn) or {})
    kept = {key: value for key, value in tags.items() if key not in request["TagKeys"]}
    await ctx.db.execute(_PUT_TAGS, ctx.account_id, arn, kept)
    return {}


@operation("ListTagsForResource", on=ANY)
async def list_tags_for_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NoSuchResource."""
    return {"Tags": to_list(await ctx.db.fetchval(_TAGS, ctx.account_id, _tagged(ctx, request)) or {})}
