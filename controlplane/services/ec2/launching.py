"""RunInstances in two halves: a plan, checked in full, then rows for every instance of it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controlplane.core.context import Context
from controlplane.core.ids import resource_id
from controlplane.services.ec2 import interfaces, launch_volumes, profiles, quotas, tagging
from controlplane.services.ec2.catalog import TYPES, InstanceType
from controlplane.services.ec2.errors import (
    InsufficientFreeAddressesInSubnet,
    InvalidGroupNotFound,
    InvalidKeyPairNotFound,
    InvalidParameterCombination,
    InvalidParameterValue,
    MissingParameter,
    VpcIdNotSpecified,
)
from controlplane.services.ec2.launch_volumes import VolumePlan
from controlplane.services.ec2.nouns import GROUP, IMAGE, INSTANCE, INTERFACE, SUBNET, VOLUME
from controlplane.services.ec2.queries import networks
from controlplane.services.ec2.reconcilers import INSTANCE as WORK

DEFAULT_TYPE = "m1.small"
MAX_USER_DATA = 16 * 1024
MAX_INSTANCES = 1000

_IMAGE = """
SELECT * FROM ec2_images WHERE id = $1 AND state = 'available' AND (region IS NULL OR region = $2)
AND (public OR account_id = $3 OR $3 = ANY(launch_permissions))
"""
# Locked, so that a group that is about to be used cannot be deleted as unused.
_GROUPS_BY_NAME = """
SELECT id, name FROM ec2_security_groups WHERE vpc_id = $1 AND name = ANY($2) ORDER BY id FOR KEY SHARE
"""
_GROUPS_BY_ID = """
SELECT id, vpc_id FROM ec2_security_groups WHERE account_id = $1 AND region = $2 AND id = ANY($3)
ORDER BY id FOR KEY SHARE
"""
_KEY = "SELECT name, public_key FROM ec2_key_pairs WHERE account_id = $1 AND region = $2 AND name = $3"


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a launch needs, looked up and checked."""

    least: int
    count: int
    type: InstanceType
    image: Any
    subnet: Any
    groups: list[str]
    volumes: list[VolumePlan]
    key: Any
    profile: profiles.Profile | None
    user_data: bytes | None
    public: bool
    address: str | None
    interface: str | None
    delete_interface: bool
    columns: dict[str, Any]
    tags: Mapping[str, dict[str, str]] = field(default_factory=dict)


async def plan(ctx: Context, request: Any) -> Plan:
    """Check a request and look up what it names. Raises what AWS raises for each parameter."""
    count = _count(request)
    image = await _image(ctx, request)
    nic = _interface_parameters(request, count)
    subnet = await _subnet(ctx, request, nic)
    return Plan(
        least=request.get("MinCount", 1),
        count=count,
        type=_type(request),
        image=image,
        subnet=subnet,
        groups=await _groups(ctx, request, nic, subnet["vpc_id"]),
        volumes=launch_volumes.planned(request, image),
        key=await _key(ctx, request),
        profile=await profiles.find(ctx, request.get("IamInstanceProfile")),
        user_data=user_data(request.get("UserData")),
        public=nic.get("AssociatePublicIpAddress", subnet["map_public"]),
        address=_address(request, nic, count),
        interface=nic.get("NetworkInterfaceId"),
        delete_interface=nic.get("DeleteOnTermination", not nic.get("NetworkInterfaceId")),
        columns=_columns(request),
        tags={noun.resource: tagging.requested(request, noun) for noun in (INSTANCE, VOLUME, INTERFACE)},
    )


def _count(request: Any) -> int:
    least, most = request.get("MinCount", 1), request.get("MaxCount", 1)
    if least < 1:
        raise InvalidParameterValue(
            f"Invalid value '{least}' for instance count. Count should be greater than or equal to 1."
        )
    if least > most:
        raise InvalidParameterValue("Value for parameter minCount must not be greater than that of maxCount.")
    if least > MAX_INSTANCES:
        raise InvalidParameterValue(
            f"You have requested more instances ({least}) than your current instance limit of {MAX_INSTANCES} allows.",
            code="InstanceLimitExceeded",
        )
    return int(min(most, MAX_INSTANCES))


def _type(request: Any) -> InstanceType:
    name = request.get("InstanceType") or DEFAULT_TYPE
    if name not in TYPES:
        raise InvalidParameterValue(f"Invalid value '{name}' for InstanceType.")
    return TYPES[name]


async def _image(ctx: Context, request: Any) -> Any:
    id = request.get("ImageId")
    if not id:
        raise MissingParameter("The request must contain the parameter ImageId")
    IMAGE.check([id])
    row = await ctx.db.fetchrow(_IMAGE, id, ctx.region, ctx.account_id)
    if row is None:
        raise InvalidParameterValue(f"The image id '[{id}]' does not exist", code="InvalidAMIID.NotFound")
    return row


def _interface_parameters(request: Any, count: int) -> Mapping[str, Any]:
    given = request.get("NetworkInterfaces") or []
    if len(given) > 1:
        raise InvalidParameterValue("This cloud gives an instance one network interface.", code="Unsupported")
    if given and (request.get("SubnetId") or request.get("SecurityGroupIds") or request.get("SecurityGroups")):
        raise InvalidParameterCombination(
            "Network interfaces and an instance-level subnet ID may not be specified on the same request"
            if request.get("SubnetId")
            else "Network interfaces and an instance-level security groups may not be specified on the same request"
        )
    if given and given[0].get("NetworkInterfaceId"):
        if count > 1:
            raise InvalidParameterCombination(
                "Network interface IDs may not be specified when launching multiple instances."
            )
        if given[0].get("SubnetId") or given[0].get("Groups"):
            raise InvalidParameterCombination(
                "A network interface may not specify a network interface ID and a subnet or security groups."
            )
    return dict(given[0]) if given else {}


async def _subnet(ctx: Context, request: Any, nic: Mapping[str, Any]) -> Any:
    zone = (request.get("Placement") or {}).get("AvailabilityZone")
    id = request.get("SubnetId") or nic.get("SubnetId")
    if nic.get("NetworkInterfaceId"):
        return await _subnet_of_interface(ctx, nic["NetworkInterfaceId"])
    if id:
        row = await _locked_subnet(ctx, id)
        if zone and zone != row["zone"]:
            raise InvalidParameterValue("The availability zone of the subnet differs from the one in the placement.")
        return row
    subnets = await networks.default_subnets(ctx)
    if not subnets:
        raise VpcIdNotSpecified("No default VPC for this user")
    fitting = [row for row in subnets if zone in (None, row["zone"])]
    if not fitting:
        raise InvalidParameterValue(f"Invalid availability zone: [{zone}]")
    return await _locked_subnet(ctx, fitting[0]["id"])


async def _locked_subnet(ctx: Context, id: str) -> Any:
    """A subnet; its lock puts those in order who take addresses from it."""
    SUBNET.check([id])
    row = await networks.lock(ctx, SUBNET.table, id, "NO KEY UPDATE")
    if row is None:
        raise SUBNET.missing([id])
    return row


async def _subnet_of_interface(ctx: Context, id: str) -> Any:
    INTERFACE.check([id])
    interface = await networks.one(ctx, INTERFACE.table, id)
    if interface is None:
        raise INTERFACE.missing([id])
    if interface["instance_id"]:
        raise InvalidParameterValue(f"Interface: [{id}] in use.", code="InvalidNetworkInterface.InUse")
    return await networks.one(ctx, SUBNET.table, interface["subnet_id"])


async def _groups(ctx: Context, request: Any, nic: Mapping[str, Any], vpc: str) -> list[str]:
    ids = list(request.get("SecurityGroupIds") or nic.get("Groups") or ())
    names = list(request.get("SecurityGroups") or ())
    if ids:
        GROUP.check(ids)
        rows = await ctx.db.fetch(_GROUPS_BY_ID, ctx.account_id, ctx.region, ids)
        if lacking := set(ids) - {row["id"] for row in rows}:
            raise GROUP.missing(lacking)
        if any(row["vpc_id"] != vpc for row in rows):
            raise InvalidParameterValue(f"Security group {ids[0]} and subnet belong to different networks.")
        return list(dict.fromkeys(ids))
    if names:
        rows = await ctx.db.fetch(_GROUPS_BY_NAME, vpc, names)
        if lacking := set(names) - {row["name"] for row in rows}:
            raise InvalidGroupNotFound(f"The security group '{sorted(lacking)[0]}' does not exist in VPC '{vpc}'")
        return [row["id"] for row in rows]
    return [await networks.default_group(ctx.db, vpc)]


async def _key(ctx: Context, request: Any) -> Any:
    name = request.get("KeyName")
    if not name:
        return None
    row = await ctx.db.fetchrow(_KEY, ctx.account_id, ctx.region, name)
    if row is None:
        raise InvalidKeyPairNotFound(f"The key pair '{name}' does not exist")
    return row


def user_data(text: str | None) -> bytes | None:
    """Decode user data. Raises InvalidParameterValue for what is not Base64 or too long."""
    if not text:
        return None
    try:
        data = base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError) as error:
        raise InvalidParameterValue(
            "Invalid BASE64 encoding of user data.", code="InvalidUserData.Malformed"
        ) from error
    if len(data) > MAX_USER_DATA:
        raise InvalidParameterValue(f"User data is limited to {MAX_USER_DATA} bytes")
    return data


def _address(request: Any, nic: Mapping[str, Any], count: int) -> str | None:
    address = request.get("PrivateIpAddress") or nic.get("PrivateIpAddress")
    if address and count > 1:
        raise InvalidParameterCombination("A private IP address cannot be specified when launching several instances.")
    return address


def credits(wanted: str | None, type_name: str) -> str | None:
    """How an instance of a type is to get processor time; None where that is not said. Raises
    InvalidParameterValue, InvalidParameterCombination."""
    if wanted is None:
        return None
    if wanted not in ("standard", "unlimited"):
        raise InvalidParameterValue(f"Invalid value '{wanted}' for CpuCredits. Valid values: standard, unlimited.")
    if not TYPES[type_name].burstable:
        raise InvalidParameterCombination(f"The instance type {type_name} does not support CpuCredits.")
    return wanted


def _columns(request: Any) -> dict[str, Any]:
    options = request.get("MetadataOptions") or {}
    return {
        "protected": bool(request.get("DisableApiTermination")),
        "stop_protected": bool(request.get("DisableApiStop")),
        "shutdown_behavior": request.get("InstanceInitiatedShutdownBehavior") or "stop",
        "monitoring": bool((request.get("Monitoring") or {}).get("Enabled")),
        "ebs_optimized": bool(request.get("EbsOptimized")),
        "credits": credits((request.get("CreditSpecification") or {}).get("CpuCredits"), _type(request).name),
        "metadata_options": {key: value for key, value in options.items() if key.startswith(("Http", "Instance"))},
        "client_token": request.get("ClientToken") or "",
    }


async def launch(ctx: Context, plan: Plan) -> list[str]:
    """Write the rows of every instance and wake their reconcilers. Answers the ids in launch order."""
    room = await quotas.room_for_vcpus(ctx, plan.least * plan.type.vcpus)
    reservation, ids = resource_id("r"), []
    addresses = iter(()) if plan.interface else await interfaces.candidates(ctx, plan.subnet, plan.address)
    for index in range(min(plan.count, room // plan.type.vcpus)):
        try:
            interface = plan.interface or await interfaces.create(ctx, plan.subnet, plan.groups, addresses)
        except InsufficientFreeAddressesInSubnet:
            if index < plan.least:
                raise
            break
        ids.append(await _launch_one(ctx, plan, reservation, index, interface))
    await tagging.create(ctx, INSTANCE, ids, plan.tags["instance"])
    return ids


async def _launch_one(ctx: Context, plan: Plan, reservation: str, index: int, interface: str) -> str:
    id = resource_id("i")
    await ctx.db.insert(
        "ec2_instances",
        id=id,
        account_id=ctx.account_id,
        region=ctx.region,
        reservation_id=reservation,
        launch_index=index,
        goal="running",
        state="pending",
        type=plan.type.name,
        image_id=plan.image["id"],
        vpc_id=plan.subnet["vpc_id"],
        subnet_id=plan.subnet["id"],
        zone=plan.subnet["zone"],
        key_name=plan.key["name"] if plan.key else None,
        public_key=plan.key["public_key"] if plan.key else None,
        profile_arn=plan.profile.arn if plan.profile else None,
        profile_id=plan.profile.id if plan.profile else None,
        role=plan.profile.role if plan.profile else None,
        user_data=plan.user_data,
        public_wanted=plan.public,
        **plan.columns,
    )
    await _attach_interface(ctx, plan, id, interface)
    made = (plan.subnet["zone"], plan.image["snapshot_id"], plan.tags["volume"])
    await launch_volumes.create(ctx, id, plan.volumes, *made)
    await ctx.wake(WORK, id)
    return id


async def _attach_interface(ctx: Context, plan: Plan, instance: str, interface: str) -> None:
    await interfaces.attach(ctx, interface, instance, 0, delete_on_termination=plan.delete_interface)
    await tagging.create(ctx, INTERFACE, [interface], plan.tags["network-interface"])
    if plan.public:
        await interfaces.lend_public_address(ctx, interface, ctx.cloud.public_range)
