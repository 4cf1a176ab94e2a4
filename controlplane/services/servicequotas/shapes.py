"""Quotas and requests as Service Quotas shows them, and pages of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from controlplane.access.quotas import Quota, catalogue
from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.servicequotas.errors import InvalidPaginationTokenException

_PAGE = 100


def quota_arn(ctx: Context, quota: Quota) -> str:
    return arn("servicequotas", "" if quota.everywhere else ctx.region, ctx.account_id, quota.key)


def quota(ctx: Context, item: Quota, value: float, *, default: bool = False) -> dict[str, Any]:
    """A ServiceQuota; defaults belong to no account."""
    shown = {
        "ServiceCode": item.service,
        "ServiceName": item.service_name,
        "QuotaArn": arn("servicequotas", ctx.region, "", item.key) if default else quota_arn(ctx, item),
        "QuotaCode": item.code,
        "QuotaName": item.name,
        "Value": value,
        "Unit": item.unit,
        "Adjustable": item.adjustable,
        "GlobalQuota": item.everywhere,
    }
    return shown if default else {**shown, "QuotaAppliedAtLevel": "ACCOUNT"}


def request(ctx: Context, row: Mapping[str, Any]) -> dict[str, Any]:
    """A RequestedServiceQuotaChange."""
    item = catalogue()[row["quota"]]
    return {
        "Id": row["id"],
        "ServiceCode": item.service,
        "ServiceName": item.service_name,
        "QuotaCode": item.code,
        "QuotaName": item.name,
        "DesiredValue": row["value"],
        "Status": row["status"],
        "Created": row["created_at"],
        "LastUpdated": row["updated_at"],
        "Requester": row["requester"],
        "QuotaArn": quota_arn(ctx, item),
        "GlobalQuota": item.everywhere,
        "Unit": item.unit,
        "QuotaRequestedAtLevel": "ACCOUNT",
    }


def page(
    asked: Mapping[str, Any],
    member: str,
    rows: Sequence[Any],
    position: Callable[[Any], str],
    show: Callable[[Any], Any],
) -> dict[str, Any]:
    """A page of rows by a position that is theirs alone. Raises InvalidPaginationToken."""
    ordered = sorted(rows, key=position)
    if token := asked.get("NextToken"):
        try:
            after = str(decode_token(token))
        except ValueError as error:
            raise InvalidPaginationTokenException("Invalid NextToken.") from error
        ordered = [row for row in ordered if position(row) > after]
    limit = int(asked.get("MaxResults") or _PAGE)
    shown: dict[str, Any] = {member: [show(row) for row in ordered[:limit]]}
    if len(ordered) > limit:
        shown["NextToken"] = encode_token(position(ordered[limit - 1]))
    return shown
