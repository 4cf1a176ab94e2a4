"""Instances as the API gives them: from rows to the shapes of botocore's model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from controlplane.core.context import Context
from controlplane.services.ec2 import tagging
from controlplane.services.ec2.catalog import TYPES
from controlplane.services.ec2.queries import instances as queries
from controlplane.services.ec2.topology import private_name

STATE_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


def state(name: str) -> dict[str, Any]:
    """An instance state with its code."""
    return {"Code": STATE_CODES[name], "Name": name}


def public_name(address: str, region: str) -> str:
    """An instance's public DNS name."""
    domain = "compute-1" if region == "us-east-1" else f"{region}.compute"
    return f"ec2-{address.replace('.', '-')}.{domain}.amazonaws.com"


async def instances(ctx: Context, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows of ec2_instances (with `tags`) in full."""
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    interfaces, volumes = defaultdict(list), defaultdict(list)
    all_interfaces = await queries.interfaces_of(ctx.db, ids)
    for item in all_interfaces:
        interfaces[item["instance_id"]].append(item)
    for item in await queries.volumes_of(ctx.db, ids):
        volumes[item["instance_id"]].append(item)
    groups = sorted({group for item in all_interfaces for group in item["group_ids"]})
    names = await queries.group_names(ctx.db, groups) if groups else {}
    return [instance(row, interfaces[row["id"]], volumes[row["id"]], names) for row in rows]


def instance(
    row: Any, interfaces: Sequence[Any], volumes: Sequence[Any], group_names: Mapping[str, str]
) -> dict[str, Any]:
    """One instance."""
    shown: dict[str, Any] = {
        "InstanceId": row["id"],
        "ImageId": row["image_id"],
        "State": state(row["state"]),
        "StateTransitionReason": row["transition_reason"],
        "InstanceType": row["type"],
        "KeyName": row["key_name"],
        "LaunchTime": row["launched_at"],
        "AmiLaunchIndex": row["launch_index"],
        "ProductCodes": [],
        "Placement": {"AvailabilityZone": row["zone"], "GroupName": "", "Tenancy": "default"},
        "Monitoring": {"State": "enabled" if row["monitoring"] else "disabled"},
        "Architecture": "x86_64",
        "RootDeviceType": "ebs",
        "VirtualizationType": "hvm",
        "Hypervisor": "xen",
        "EbsOptimized": row["ebs_optimized"],
        "EnaSupport": True,
        "ClientToken": row["client_token"],
        "BlockDeviceMappings": [_mapping(volume) for volume in volumes],
        "RootDeviceName": next((volume["device"] for volume in volumes if volume["root"]), "/dev/sda1"),
        "NetworkInterfaces": [interface(item, group_names) for item in interfaces],
        "SecurityGroups": [],
        "PrivateDnsName": "",
        "PublicDnsName": "",
        "CpuOptions": _processors(row["type"]),
        "HibernationOptions": {"Configured": False},
        "EnclaveOptions": {"Enabled": False},
        "MetadataOptions": metadata_options(row),
        "CurrentInstanceBootMode": "legacy-bios",
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "UsageOperationUpdateTime": row["created_at"],
        "MaintenanceOptions": {"AutoRecovery": "default"},
        "PrivateDnsNameOptions": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": False,
        },
        "Tags": tagging.shape(row["tags"]),
    }
    if row["reason_code"]:
        shown["StateReason"] = {"Code": row["reason_code"], "Message": row["reason_message"]}
    if row["profile_arn"]:
        shown["IamInstanceProfile"] = {"Arn": row["profile_arn"], "Id": row["profile_id"]}
    if interfaces:
        shown |= _addresses(row["region"], interfaces[0], group_names)
    return shown


def _addresses(region: str, primary: Any, group_names: Mapping[str, str]) -> dict[str, Any]:
    shown = {
        "VpcId": primary["vpc_id"],
        "SubnetId": primary["subnet_id"],
        "PrivateIpAddress": primary["address"],
        "PrivateDnsName": private_name(primary["address"], region),
        "SourceDestCheck": primary["source_dest_check"],
        "SecurityGroups": _groups(primary, group_names),
    }
    if primary["public_address"]:
        shown["PublicIpAddress"] = primary["public_address"]
        shown["PublicDnsName"] = public_name(primary["public_address"], region)
    return shown


def _groups(row: Any, names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"GroupId": id, "GroupName": names.get(id, "")} for id in row["group_ids"]]


def interface(row: Any, group_names: Mapping[str, str]) -> dict[str, Any]:
    """A network interface as part of its instance."""
    address: dict[str, Any] = {
        "Primary": True,
        "PrivateIpAddress": row["address"],
        "PrivateDnsName": private_name(row["address"], row["region"]),
    }
    shown: dict[str, Any] = {
        "NetworkInterfaceId": row["id"],
        "MacAddress": row["mac"],
        "PrivateIpAddress": row["address"],
        "PrivateDnsName": private_name(row["address"], row["region"]),
        "PrivateIpAddresses": [address],
        "Ipv6Addresses": [],
        "SubnetId": row["subnet_id"],
        "VpcId": row["vpc_id"],
        "OwnerId": row["account_id"],
        "Status": "in-use",
        "Description": row["description"],
        "SourceDestCheck": row["source_dest_check"],
        "InterfaceType": "interface",
        "Groups": _groups(row, group_names),
        "Attachment": {
            "AttachmentId": row["attachment_id"],
            "AttachTime": row["attached_at"],
            "DeviceIndex": row["device_index"],
            "DeleteOnTermination": row["delete_on_termination"],
            "Status": "attached",
            "NetworkCardIndex": 0,
        },
    }
    if row["public_address"]:
        association = {
            "PublicIp": row["public_address"],
            "PublicDnsName": public_name(row["public_address"], row["region"]),
            "IpOwnerId": row["public_owner"] if row["allocation_id"] else "amazon",
        }
        shown["Association"] = address["Association"] = association
    return shown


def _mapping(volume: Any) -> dict[str, Any]:
    return {
        "DeviceName": volume["device"],
        "Ebs": {
            "VolumeId": volume["id"],
            "Status": "attached",
            "AttachTime": volume["attached_at"],
            "DeleteOnTermination": volume["delete_on_termination"],
        },
    }


def _processors(type_name: str) -> dict[str, int]:
    type = TYPES[type_name]
    return {"CoreCount": type.cores, "ThreadsPerCore": type.threads}


METADATA_DEFAULTS = {
    "State": "applied",
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": 1,
    "HttpEndpoint": "enabled",
    "HttpProtocolIpv6": "disabled",
    "InstanceMetadataTags": "disabled",
}


def metadata_options(row: Any) -> dict[str, Any]:
    """The metadata options in force."""
    return {**METADATA_DEFAULTS, **row["metadata_options"]}


def reservation(rows: Sequence[Any], shown: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Instances that were launched together."""
    return {
        "ReservationId": rows[0]["reservation_id"],
        "OwnerId": rows[0]["account_id"],
        "Groups": [],
        "Instances": list(shown),
    }
