"""EC2's quotas: what is counted, and what AWS says when it is too much."""

from __future__ import annotations

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.services.ec2.catalog import TYPES

_COUNTED: dict[str, tuple[str, str, str, str]] = {
    # key: (table, condition, error code, what has been reached)
    "vpc/L-F678F1CE": ("ec2_vpcs", "", "VpcLimitExceeded", "VPCs"),
    "vpc/L-A4707A72": ("ec2_internet_gateways", "", "InternetGatewayLimitExceeded", "internet gateways"),
    "vpc/L-E79EC296": ("ec2_security_groups", "", "SecurityGroupLimitExceeded", "security groups"),
    "vpc/L-DF5E4CA3": ("ec2_network_interfaces", "", "NetworkInterfaceLimitExceeded", "network interfaces"),
    "vpc/L-407747CB": ("ec2_subnets", "AND vpc_id = $3", "SubnetLimitExceeded", "subnets"),
    "vpc/L-589F43AA": ("ec2_route_tables", "AND vpc_id = $3", "RouteTableLimitExceeded", "route tables"),
    "ec2/L-0263D0A3": (
        "ec2_public_addresses",
        "AND allocation_id IS NOT NULL",
        "AddressLimitExceeded",
        "addresses",
    ),
}
VPCS, GATEWAYS, GROUPS, INTERFACES, SUBNETS, TABLES, ADDRESSES = _COUNTED
VCPUS = "ec2/L-1216C47A"

_RUNNING = """
SELECT type, count(*) FROM ec2_instances
WHERE account_id = $1 AND region = $2 AND goal = 'running' AND state IN ('pending', 'running') GROUP BY type
"""


async def room_for_one(ctx: Context, key: str, *within: str) -> None:
    """Raise what AWS raises when the account may have no further one (in the VPC `within`, for quotas of a VPC)."""
    table, condition, code, words = _COUNTED[key]

    async def used() -> float:
        sql = f"SELECT count(*) FROM {table} WHERE account_id = $1 AND region = $2 {condition}"
        return float(await ctx.db.fetchval(sql, ctx.account_id, ctx.region, *within))

    await ctx.within_quota(key, used, lambda _: AwsError(f"The maximum number of {words} has been reached.", code=code))


async def room_for_vcpus(ctx: Context, wanted: int) -> int:
    """How many further processors instances may have. Raises VcpuLimitExceeded when they are fewer than `wanted`."""

    async def used() -> float:
        rows = await ctx.db.fetch(_RUNNING, ctx.account_id, ctx.region)
        return float(sum(TYPES[row["type"]].vcpus * row["count"] for row in rows))

    def error(limit: int) -> AwsError:
        return AwsError(
            f"You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the instance "
            "bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
            code="VcpuLimitExceeded",
        )

    return int(await ctx.within_quota(VCPUS, used, error, wanted))
