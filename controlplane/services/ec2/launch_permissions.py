"""What AWS asks the policy engine about at RunInstances: the instance to be, and all that goes into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.ec2 import launching, permissions, shapes, tagging
from controlplane.services.ec2.image_store import CLOUD_ACCOUNT
from controlplane.services.ec2.nouns import GROUP, IMAGE, INSTANCE, INTERFACE, KEY_PAIR, SUBNET, VOLUME, VPC
from controlplane.services.ec2.queries import networks

_IMAGE = "SELECT account_id, public, root_device, size_gib FROM ec2_images WHERE id = $1"
_GROUPS = "SELECT id FROM ec2_security_groups WHERE vpc_id = $1 AND name = ANY($2) ORDER BY id"
_KEY = "SELECT id FROM ec2_key_pairs WHERE account_id = $1 AND region = $2 AND name = $3"

Conditions = Mapping[str, str | Sequence[str]]


async def launch_resources(ctx: Context, request: Any) -> list[Resource]:
    """All resources of a launch. What the request leaves to defaults is asked about as what the defaults are."""
    nic = (request.get("NetworkInterfaces") or [{}])[0]
    image = await ctx.db.fetchrow(_IMAGE, request.get("ImageId") or "")
    interface = await _own(ctx, INTERFACE.table, nic.get("NetworkInterfaceId"))
    subnet = await _subnet(ctx, request, nic, interface)
    place: dict[str, str] = {"ec2:AvailabilityZone": subnet["zone"]} if subnet else {}
    kind: dict[str, str] = {"ec2:InstanceType": request.get("InstanceType") or launching.DEFAULT_TYPE}
    groups = list(interface["group_ids"]) if interface else await _groups(ctx, request, nic, subnet)
    return [
        _instance(ctx, request, {**place, **kind}),
        await _image(ctx, request, image, kind),
        *await permissions.of(ctx, SUBNET, [subnet["id"]] if subnet else []),
        *await permissions.of(ctx, GROUP, groups),
        *await _interface(ctx, request, nic, subnet, place),
        *_volumes(ctx, request, image, place),
        *await _key(ctx, request.get("KeyName")),
    ]


async def _own(ctx: Context, table: str, id: str | None) -> Any:
    return await networks.one(ctx, table, id) if id else None


async def _subnet(ctx: Context, request: Any, nic: Any, interface: Any) -> Any:
    id = request.get("SubnetId") or nic.get("SubnetId") or (interface["subnet_id"] if interface else None)
    if id:
        return await _own(ctx, SUBNET.table, id)
    zone = (request.get("Placement") or {}).get("AvailabilityZone")
    subnets = await networks.default_subnets(ctx)
    return next((row for row in subnets if zone in (None, row["zone"])), None)


async def _groups(ctx: Context, request: Any, nic: Any, subnet: Any) -> list[str]:
    if ids := request.get("SecurityGroupIds") or nic.get("Groups"):
        return list(ids)
    if subnet is None:
        return []
    names = list(request.get("SecurityGroups") or ("default",))
    return [row["id"] for row in await ctx.db.fetch(_GROUPS, subnet["vpc_id"], names)]


def _instance(ctx: Context, request: Any, conditions: Conditions) -> Resource:
    options = {**shapes.METADATA_DEFAULTS, **(request.get("MetadataOptions") or {})}
    given = request.get("IamInstanceProfile") or {}
    profile = given.get("Arn") or (
        given.get("Name") and f"arn:aws:iam::{ctx.account_id}:instance-profile/{given['Name']}"
    )
    return Resource(
        tagging.resource_arn(ctx, INSTANCE, "*"),
        conditions={
            **conditions,
            **({"ec2:InstanceProfile": profile} if profile else {}),
            "ec2:EbsOptimized": _boolean(request.get("EbsOptimized")),
            "ec2:MetadataHttpEndpoint": str(options["HttpEndpoint"]),
            "ec2:MetadataHttpPutResponseHopLimit": str(options["HttpPutResponseHopLimit"]),
            "ec2:MetadataHttpTokens": str(options["HttpTokens"]),
            "ec2:RootDeviceType": "ebs",
            "ec2:Tenancy": str((request.get("Placement") or {}).get("Tenancy") or "default"),
            **tagging.request_tags(tagging.requested(request, INSTANCE)),
        },
    )


async def _image(ctx: Context, request: Any, image: Any, conditions: Conditions) -> Resource:
    id = request.get("ImageId") or "*"
    name = tagging.resource_arn(ctx, IMAGE, id)
    if image is None:
        return Resource(name, conditions=conditions)
    owner = "amazon" if image["account_id"] == CLOUD_ACCOUNT else image["account_id"]
    facts = {"ec2:Owner": owner, "ec2:Public": _boolean(image["public"]), "ec2:ImageType": "machine"}
    tags = (await tagging.of(ctx, [id])).get(id, {})
    return Resource(name, tags=tags, conditions={**conditions, **facts, "ec2:RootDeviceType": "ebs"})


async def _interface(ctx: Context, request: Any, nic: Any, subnet: Any, place: Conditions) -> list[Resource]:
    if id := nic.get("NetworkInterfaceId"):
        return await permissions.of(ctx, INTERFACE, [id])
    network = {}
    if subnet:
        network["ec2:Subnet"] = tagging.resource_arn(ctx, SUBNET, subnet["id"])
        network["ec2:Vpc"] = tagging.resource_arn(ctx, VPC, subnet["vpc_id"])
    public = nic.get("AssociatePublicIpAddress")
    return [
        Resource(
            tagging.resource_arn(ctx, INTERFACE, "*"),
            conditions={
                **place,
                **network,
                **({} if public is None else {"ec2:AssociatePublicIpAddress": _boolean(public)}),
                **tagging.request_tags(tagging.requested(request, INTERFACE)),
            },
        )
    ]


def _volumes(ctx: Context, request: Any, image: Any, place: Conditions) -> Iterable[Resource]:
    """One for each disk, since conditions on size and type are about each of them."""
    disks = {item.get("DeviceName"): item.get("Ebs") or {} for item in request.get("BlockDeviceMappings") or ()}
    if image is not None:
        disks[image["root_device"]] = {"VolumeSize": image["size_gib"], **disks.get(image["root_device"], {})}
    tags = tagging.request_tags(tagging.requested(request, VOLUME))
    for ebs in disks.values() or [{}]:
        size = {"ec2:VolumeSize": str(ebs["VolumeSize"])} if "VolumeSize" in ebs else {}
        kind = {"ec2:VolumeType": str(ebs.get("VolumeType", "gp3")), "ec2:Encrypted": _boolean(ebs.get("Encrypted"))}
        yield Resource(tagging.resource_arn(ctx, VOLUME, "*"), conditions={**place, **kind, **size, **tags})


async def _key(ctx: Context, name: str | None) -> list[Resource]:
    if not name:
        return []
    id = await ctx.db.fetchval(_KEY, ctx.account_id, ctx.region, name)
    if id is None:
        return [Resource(tagging.resource_arn(ctx, KEY_PAIR, name))]
    return await permissions.of(ctx, KEY_PAIR, [id])


def _boolean(value: object) -> str:
    return "true" if value else "false"
