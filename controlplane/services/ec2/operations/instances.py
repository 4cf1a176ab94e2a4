"""RunInstances and DescribeInstances."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.ec2 import describing, launching, shapes
from controlplane.services.ec2.defaults import ensure_default_vpc
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.launch_permissions import launch_resources
from controlplane.services.ec2.nouns import INSTANCE
from controlplane.services.ec2.queries import instances as queries

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import DescribeInstancesRequestTypeDef, RunInstancesRequestTypeDef

FILTERS: dict[str, describing.Extract] = {
    "instance-id": column("id"),
    "instance-type": column("type"),
    "instance-state-name": column("state"),
    "instance-state-code": lambda row: shapes.STATE_CODES[row["state"]],
    "image-id": column("image_id"),
    "vpc-id": column("vpc_id"),
    "subnet-id": column("subnet_id"),
    "availability-zone": column("zone"),
    "key-name": column("key_name"),
    "reservation-id": column("reservation_id"),
    "launch-index": column("launch_index"),
    "launch-time": column("launched_at"),
    "client-token": column("client_token"),
    "owner-id": column("account_id"),
    "iam-instance-profile.arn": column("profile_arn"),
    "iam-instance-profile.id": column("profile_id"),
    "state-reason-code": column("reason_code"),
    "architecture": lambda _: "x86_64",
    "root-device-type": lambda _: "ebs",
    "virtualization-type": lambda _: "hvm",
    "tenancy": lambda _: "default",
    "monitoring-state": lambda row: "enabled" if row["monitoring"] else "disabled",
    "metadata-options.http-tokens": lambda row: shapes.metadata_options(row)["HttpTokens"],
}
# These are answered from the finished shape, because they lie in other tables.
SHOWN_FILTERS: dict[str, describing.Extract] = {
    "private-ip-address": lambda shown: shown.get("PrivateIpAddress"),
    "private-dns-name": lambda shown: shown.get("PrivateDnsName"),
    "ip-address": lambda shown: shown.get("PublicIpAddress"),
    "dns-name": lambda shown: shown.get("PublicDnsName"),
    "root-device-name": lambda shown: shown.get("RootDeviceName"),
    "instance.group-id": lambda shown: [group["GroupId"] for group in shown["SecurityGroups"]],
    "instance.group-name": lambda shown: [group["GroupName"] for group in shown["SecurityGroups"]],
    "group-id": lambda shown: [group["GroupId"] for group in shown["SecurityGroups"]],
    "group-name": lambda shown: [group["GroupName"] for group in shown["SecurityGroups"]],
    "block-device-mapping.volume-id": lambda shown: [m["Ebs"]["VolumeId"] for m in shown["BlockDeviceMappings"]],
    "block-device-mapping.device-name": lambda shown: [m["DeviceName"] for m in shown["BlockDeviceMappings"]],
    "network-interface.network-interface-id": lambda shown: [
        item["NetworkInterfaceId"] for item in shown["NetworkInterfaces"]
    ],
    "network-interface.mac-address": lambda shown: [item["MacAddress"] for item in shown["NetworkInterfaces"]],
    "network-interface.addresses.private-ip-address": lambda shown: shown.get("PrivateIpAddress"),
    "network-interface.subnet-id": lambda shown: shown.get("SubnetId"),
    "network-interface.vpc-id": lambda shown: shown.get("VpcId"),
}


@operation("RunInstances", on=launch_resources)
async def run_instances(ctx: Context, request: RunInstancesRequestTypeDef) -> dict[str, Any]:
    """Launch instances: all of MinCount or none, up to MaxCount. They become running when their hosts say so."""
    await ensure_default_vpc(ctx)
    ids = await launching.launch(ctx, await launching.plan(ctx, request))
    rows = await queries.list_instances(ctx, ids)
    return shapes.reservation(rows, await shapes.instances(ctx, rows))


@operation("DescribeInstances", on=ANY)
async def describe_instances(ctx: Context, request: DescribeInstancesRequestTypeDef) -> dict[str, Any]:
    """Instances grouped by the reservation that launched them. Raises InvalidInstanceID.NotFound."""
    rows = await filtered(ctx, request)
    found, token = describing.page(rows, request, ids="InstanceIds")
    shown = {item["InstanceId"]: item for item in await shapes.instances(ctx, found)}
    reservations = []
    for _, group in groupby(found, key=lambda row: row["reservation_id"]):
        members = list(group)
        reservations.append(shapes.reservation(members, [shown[row["id"]] for row in members]))
    return {"Reservations": reservations, "NextToken": token}


async def filtered(ctx: Context, request: Any) -> Sequence[Any]:
    """The rows of the instances that a request names by ids and filters."""
    wanted = request.get("InstanceIds")
    if wanted:
        INSTANCE.check(wanted)
    rows = await queries.list_instances(ctx, wanted)
    describing.require(INSTANCE, wanted, rows)
    filters = request.get("Filters") or ()
    late = [item for item in filters if item.get("Name") in SHOWN_FILTERS]
    early = [item for item in filters if item.get("Name") not in SHOWN_FILTERS]
    found = describing.matching(rows, {"Filters": early}, FILTERS)
    if not late:
        return found
    shown = describing.matching(await shapes.instances(ctx, found), {"Filters": late}, SHOWN_FILTERS)
    kept = {item["InstanceId"] for item in shown}
    return [row for row in found if row["id"] in kept]
