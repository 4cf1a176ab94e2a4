"""VPCs that things are associated with."""

from __future__ import annotations

from controlplane.core.context import Context
from controlplane.core.errors import AwsError


async def check_own(ctx: Context, vpc: str, error: AwsError) -> None:
    """Raise the error where a VPC is not the caller's, or not there."""
    found = await ctx.ask("ec2", "Vpc", {"VpcId": vpc, "Region": ctx.region})
    if found is None or found["AccountId"] != ctx.account_id:
        raise error


async def publish(ctx: Context, vpc: str) -> None:
    """Bring a VPC to its hosts anew."""
    await ctx.ask("ec2", "PublishVpc", {"VpcId": vpc})
