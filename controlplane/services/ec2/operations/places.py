"""Regions and availability zones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.ec2 import describing
from controlplane.services.ec2.defaults import zone_id, zones
from controlplane.services.ec2.errors import InvalidParameterValue

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import DescribeAvailabilityZonesRequestTypeDef, DescribeRegionsRequestTypeDef

REGION_FILTERS: dict[str, describing.Extract] = {
    "region-name": lambda row: row["RegionName"],
    "endpoint": lambda row: row["Endpoint"],
    "opt-in-status": lambda row: row["OptInStatus"],
}
ZONE_FILTERS: dict[str, describing.Extract] = {
    "zone-name": lambda row: row["ZoneName"],
    "zone-id": lambda row: row["ZoneId"],
    "zone-type": lambda row: row["ZoneType"],
    "region-name": lambda row: row["RegionName"],
    "group-name": lambda row: row["GroupName"],
    "state": lambda row: row["State"],
    "opt-in-status": lambda row: row["OptInStatus"],
}


@operation("DescribeRegions", on=ANY)
async def describe_regions(ctx: Context, request: DescribeRegionsRequestTypeDef) -> dict[str, Any]:
    """The regions of this cloud."""
    rows = [
        {"RegionName": name, "Endpoint": f"ec2.{name}.amazonaws.com", "OptInStatus": "opt-in-not-required"}
        for name in ctx.cloud.regions
    ]
    if wanted := request.get("RegionNames"):
        _require("region", wanted, [row["RegionName"] for row in rows])
        rows = [row for row in rows if row["RegionName"] in wanted]
    return {"Regions": describing.matching(rows, request, REGION_FILTERS)}


@operation("DescribeAvailabilityZones", on=ANY)
async def describe_availability_zones(ctx: Context, request: DescribeAvailabilityZonesRequestTypeDef) -> dict[str, Any]:
    """The three zones of the called region."""
    rows = [_zone(ctx.region, name) for name in zones(ctx.region)]
    if wanted := request.get("ZoneNames"):
        _require("availability zone", wanted, [row["ZoneName"] for row in rows])
        rows = [row for row in rows if row["ZoneName"] in wanted]
    if wanted := request.get("ZoneIds"):
        _require("availability zone-id", wanted, [row["ZoneId"] for row in rows])
        rows = [row for row in rows if row["ZoneId"] in wanted]
    return {"AvailabilityZones": describing.matching(rows, request, ZONE_FILTERS)}


def _zone(region: str, name: str) -> dict[str, Any]:
    return {
        "ZoneName": name,
        "ZoneId": zone_id(name),
        "ZoneType": "availability-zone",
        "RegionName": region,
        "GroupName": f"{region}-zg-1",
        "NetworkBorderGroup": region,
        "State": "available",
        "OptInStatus": "opt-in-not-required",
        "Messages": [],
    }


def _require(kind: str, wanted: Any, known: Any) -> None:
    if lacking := [name for name in wanted if name not in known]:
        raise InvalidParameterValue(f"Invalid {kind}: [{lacking[0]}]")
