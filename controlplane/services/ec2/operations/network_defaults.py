"""What comes with every VPC and cannot be changed here: its DHCP options and its network ACL, which allows all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.ec2 import defaults, describing, tagging
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.errors import InvalidParameterValue
from controlplane.services.ec2.nouns import DHCP_OPTIONS, SUBNET, VPC
from controlplane.services.ec2.queries import networks

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeAccountAttributesRequestTypeDef,
        DescribeDhcpOptionsRequestTypeDef,
        DescribeNetworkAclsRequestTypeDef,
    )

LAST_RULE = 32767
DHCP_FILTERS: dict[str, describing.Extract] = {
    "dhcp-options-id": column("id"),
    "key": lambda row: list(row["configuration"]),
    "value": lambda row: list(row["configuration"].values()),
    "owner-id": column("account_id"),
}
ACL_FILTERS: dict[str, describing.Extract] = {
    "network-acl-id": lambda row: row["NetworkAclId"],
    "vpc-id": lambda row: row["VpcId"],
    "default": lambda row: row["IsDefault"],
    "owner-id": lambda row: row["OwnerId"],
    "association.subnet-id": lambda row: [item["SubnetId"] for item in row["Associations"]],
    "association.association-id": lambda row: [item["NetworkAclAssociationId"] for item in row["Associations"]],
}


@operation("DescribeDhcpOptions", on=ANY)
async def describe_dhcp_options(ctx: Context, request: DescribeDhcpOptionsRequestTypeDef) -> dict[str, Any]:
    """DHCP option sets. Raises InvalidDhcpOptionID.NotFound."""
    await defaults.ensure_default_vpc(ctx)
    wanted = request.get("DhcpOptionsIds")
    rows = await networks.listing(ctx, DHCP_OPTIONS.table, wanted)
    describing.require(DHCP_OPTIONS, wanted, rows)
    found, token = describing.page(describing.matching(rows, request, DHCP_FILTERS), request, ids="DhcpOptionsIds")
    shown = [
        {
            "DhcpOptionsId": row["id"],
            "OwnerId": row["account_id"],
            "DhcpConfigurations": [
                {"Key": key, "Values": [{"Value": value} for value in values]}
                for key, values in sorted(row["configuration"].items())
            ],
            "Tags": tagging.shape(row["tags"]),
        }
        for row in found
    ]
    return {"DhcpOptions": shown, "NextToken": token}


@operation("DescribeNetworkAcls", on=ANY)
async def describe_network_acls(ctx: Context, request: DescribeNetworkAclsRequestTypeDef) -> dict[str, Any]:
    """The default ACL of every VPC. Raises InvalidNetworkAclID.NotFound."""
    await defaults.ensure_default_vpc(ctx)
    subnets = await networks.listing(ctx, SUBNET.table)
    rows = [_acl(vpc, subnets) for vpc in await networks.listing(ctx, VPC.table)]
    if wanted := request.get("NetworkAclIds"):
        if lacking := set(wanted) - {row["NetworkAclId"] for row in rows}:
            raise InvalidParameterValue(
                f"The networkAcl ID '{sorted(lacking)[0]}' does not exist", code="InvalidNetworkAclID.NotFound"
            )
        rows = [row for row in rows if row["NetworkAclId"] in wanted]
    found, token = describing.page(
        describing.matching(rows, request, ACL_FILTERS), request, ids="NetworkAclIds", key="NetworkAclId"
    )
    shown = [{name: value for name, value in row.items() if name != "tags"} for row in found]
    return {"NetworkAcls": shown, "NextToken": token}


def _acl(vpc: Any, subnets: Any) -> dict[str, Any]:
    return {
        "NetworkAclId": vpc["network_acl_id"],
        "VpcId": vpc["id"],
        "OwnerId": vpc["account_id"],
        "IsDefault": True,
        "Entries": [_entry(number, egress) for egress in (True, False) for number in (100, LAST_RULE)],
        "Associations": [
            {
                "NetworkAclAssociationId": subnet["network_acl_association_id"],
                "NetworkAclId": vpc["network_acl_id"],
                "SubnetId": subnet["id"],
            }
            for subnet in subnets
            if subnet["vpc_id"] == vpc["id"]
        ],
        "Tags": [],
        "tags": None,
    }


def _entry(number: int, egress: bool) -> dict[str, Any]:
    return {
        "RuleNumber": number,
        "Protocol": "-1",
        "RuleAction": "deny" if number == LAST_RULE else "allow",
        "Egress": egress,
        "CidrBlock": "0.0.0.0/0",
    }


@operation("DescribeAccountAttributes", on=ANY)
async def describe_account_attributes(ctx: Context, request: DescribeAccountAttributesRequestTypeDef) -> dict[str, Any]:
    """What older clients ask before they decide between EC2-Classic and VPC."""
    await defaults.ensure_default_vpc(ctx)
    vpcs = [row["id"] for row in await networks.listing(ctx, VPC.table) if row["is_default"]]
    values = {
        "supported-platforms": ["VPC"],
        "default-vpc": vpcs or ["none"],
        "max-instances": ["1000"],
        "vpc-max-security-groups-per-interface": ["5"],
    }
    wanted = set(request.get("AttributeNames") or values)
    return {
        "AccountAttributes": [
            {"AttributeName": name, "AttributeValues": [{"AttributeValue": value} for value in values[name]]}
            for name in values
            if name in wanted
        ]
    }
