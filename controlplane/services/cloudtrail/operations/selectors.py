"""Which events a trail delivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.cloudtrail import queries, selectors, trails
from controlplane.services.cloudtrail.errors import InsightNotEnabledException
from controlplane.services.cloudtrail.operations.trails import tell_recorder

if TYPE_CHECKING:
    from types_boto3_cloudtrail.type_defs import (
        GetEventSelectorsRequestTypeDef,
        GetInsightSelectorsRequestTypeDef,
        PutEventSelectorsRequestTypeDef,
    )


@operation("PutEventSelectors", on=trails.on_trail("TrailName"))
async def put_event_selectors(ctx: Context, request: PutEventSelectorsRequestTypeDef) -> dict[str, Any]:
    """Replace a trail's selectors. Raises InvalidEventSelectorsException, TrailNotFoundException."""
    row = await trails.find(ctx, request["TrailName"], change=True)
    chosen = selectors.checked(request)
    await queries.set_column(ctx, row, "selectors", chosen)
    await tell_recorder(ctx)
    return {"TrailARN": trails.arn_of(row["account_id"], row["region"], row["name"]), **chosen}


@operation("GetEventSelectors", on=trails.on_trail("TrailName"))
async def get_event_selectors(ctx: Context, request: GetEventSelectorsRequestTypeDef) -> dict[str, Any]:
    """A trail's selectors, or the default one. Raises TrailNotFoundException."""
    row = await trails.find(ctx, request["TrailName"])
    arn = trails.arn_of(row["account_id"], row["region"], row["name"])
    return {"TrailARN": arn, **(row["selectors"] or selectors.DEFAULT)}


@operation("GetInsightSelectors", on=trails.on_trail("TrailName"))
async def get_insight_selectors(ctx: Context, request: GetInsightSelectorsRequestTypeDef) -> dict[str, Any]:
    """There are no insights. Raises InsightNotEnabledException."""
    row = await trails.find(ctx, request.get("TrailName") or "")
    arn = trails.arn_of(row["account_id"], row["region"], row["name"])
    raise InsightNotEnabledException(f"Trail {arn} does not have Insights enabled.")
