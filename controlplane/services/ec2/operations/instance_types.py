"""Instance types and where they are offered: those of the catalog that the largest host can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.ec2 import describing
from controlplane.services.ec2.catalog import TYPES, InstanceType
from controlplane.services.ec2.defaults import zones
from controlplane.services.ec2.errors import InvalidParameterValue

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeInstanceTypeOfferingsRequestTypeDef,
        DescribeInstanceTypesRequestTypeDef,
    )

_LARGEST = """
SELECT coalesce(max(memory_mib), 0) AS memory_mib, coalesce(max(vcpus), 0) AS vcpus FROM fleet_hosts
WHERE kind = 'hypervisor'
"""
FILTERS: dict[str, describing.Extract] = {
    "instance-type": lambda row: row["InstanceType"],
    "bare-metal": lambda row: row["BareMetal"],
    "burstable-performance-supported": lambda row: row["BurstablePerformanceSupported"],
    "current-generation": lambda row: row["CurrentGeneration"],
    "free-tier-eligible": lambda row: row["FreeTierEligible"],
    "hypervisor": lambda row: row["Hypervisor"],
    "instance-storage-supported": lambda row: row["InstanceStorageSupported"],
    "memory-info.size-in-mib": lambda row: row["MemoryInfo"]["SizeInMiB"],
    "processor-info.supported-architecture": lambda row: row["ProcessorInfo"]["SupportedArchitectures"],
    "supported-root-device-type": lambda row: row["SupportedRootDeviceTypes"],
    "supported-usage-class": lambda row: row["SupportedUsageClasses"],
    "supported-virtualization-type": lambda row: row["SupportedVirtualizationTypes"],
    "supported-boot-mode": lambda row: row["SupportedBootModes"],
    "vcpu-info.default-vcpus": lambda row: row["VCpuInfo"]["DefaultVCpus"],
    "vcpu-info.default-cores": lambda row: row["VCpuInfo"]["DefaultCores"],
}
OFFERING_FILTERS: dict[str, describing.Extract] = {
    "instance-type": lambda row: row["InstanceType"],
    "location": lambda row: row["Location"],
}


async def offered(ctx: Context) -> list[InstanceType]:
    """The types that some host could hold if it were empty."""
    largest = await ctx.db.fetchrow(_LARGEST)
    return [
        type for type in TYPES.values() if type.memory_mib <= largest["memory_mib"] and type.vcpus <= largest["vcpus"]
    ]


@operation("DescribeInstanceTypes", on=ANY)
async def describe_instance_types(ctx: Context, request: DescribeInstanceTypesRequestTypeDef) -> dict[str, Any]:
    """The offered types in detail. Raises InvalidInstanceType."""
    rows = [_shape(type) for type in await offered(ctx)]
    if wanted := request.get("InstanceTypes"):
        if lacking := set(wanted) - {row["InstanceType"] for row in rows}:
            raise InvalidParameterValue(
                f"The following supplied instance types do not exist: [{', '.join(sorted(lacking))}]",
                code="InvalidInstanceType",
            )
        rows = [row for row in rows if row["InstanceType"] in wanted]
    found, token = describing.page(
        describing.matching(rows, request, FILTERS), request, ids="InstanceTypes", key="InstanceType"
    )
    return {"InstanceTypes": found, "NextToken": token}


@operation("DescribeInstanceTypeOfferings", on=ANY)
async def describe_instance_type_offerings(
    ctx: Context, request: DescribeInstanceTypeOfferingsRequestTypeDef
) -> dict[str, Any]:
    """Where each type is offered: everywhere in the region, since all zones share the hosts."""
    location = request.get("LocationType") or "region"
    places = [ctx.region] if location == "region" else zones(ctx.region)
    rows = [
        {"InstanceType": type.name, "LocationType": location, "Location": place, "key": f"{type.name} {place}"}
        for type in await offered(ctx)
        for place in places
    ]
    found, token = describing.page(describing.matching(rows, request, OFFERING_FILTERS), request, key="key")
    shown = [{name: value for name, value in row.items() if name != "key"} for row in found]
    return {"InstanceTypeOfferings": shown, "NextToken": token}


def _shape(type: InstanceType) -> dict[str, Any]:
    return {
        "InstanceType": type.name,
        "CurrentGeneration": type.current,
        "FreeTierEligible": type.name in ("t2.micro", "t3.micro"),
        "SupportedUsageClasses": ["on-demand"],
        "SupportedRootDeviceTypes": ["ebs"],
        "SupportedVirtualizationTypes": ["hvm"],
        "SupportedBootModes": ["legacy-bios", "uefi"],
        "BareMetal": False,
        "Hypervisor": "nitro",
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "VCpuInfo": {
            "DefaultVCpus": type.vcpus,
            "DefaultCores": type.cores,
            "DefaultThreadsPerCore": type.threads,
        },
        "MemoryInfo": {"SizeInMiB": type.memory_mib},
        "InstanceStorageSupported": False,
        "EbsInfo": {"EbsOptimizedSupport": "default", "EncryptionSupport": "unsupported", "NvmeSupport": "unsupported"},
        "NetworkInfo": {
            "NetworkPerformance": "Up to 5 Gigabit",
            "MaximumNetworkInterfaces": 1,
            "MaximumNetworkCards": 1,
            "DefaultNetworkCardIndex": 0,
            "Ipv4AddressesPerInterface": 1,
            "Ipv6AddressesPerInterface": 0,
            "Ipv6Supported": False,
            "EnaSupport": "unsupported",
        },
        "PlacementGroupInfo": {"SupportedStrategies": ["spread"]},
        "HibernationSupported": False,
        "BurstablePerformanceSupported": type.burstable,
        "DedicatedHostsSupported": False,
        "AutoRecoverySupported": True,
    }
