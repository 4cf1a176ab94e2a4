"""EC2's nouns: the prefix of their ids, their names in ARNs and in errors, their tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from controlplane.core.errors import AwsError


@dataclass(frozen=True, slots=True)
class Noun:
    """One kind of resource: `resource` is its type in ARNs, `code` its part of error codes, `words` its name in
    texts."""

    prefix: str
    resource: str
    code: str
    words: str
    table: str
    key: str = "id"
    malformed: str = ""

    def missing(self, ids: Iterable[str]) -> AwsError:
        """What AWS says of ids that do not exist (or belong to somebody else)."""
        found = sorted(ids)
        if len(found) == 1:
            return AwsError(f"The {self.words} '{found[0]}' does not exist", code=f"{self.code}.NotFound")
        return AwsError(f"The {self.words}s '{', '.join(found)}' do not exist", code=f"{self.code}.NotFound")

    def check(self, ids: Iterable[str]) -> None:
        """Refuse what cannot be an id of this noun."""
        for id in ids:
            if not re.fullmatch(rf"{self.prefix}-[0-9a-f]{{8,17}}", id):
                words = f'Invalid id: "{id}" (expecting "{self.prefix}-...")'
                raise AwsError(words, code=self.malformed or f"{self.code}.Malformed")


INSTANCE = Noun("i", "instance", "InvalidInstanceID", "instance ID", "ec2_instances")
IMAGE = Noun("ami", "image", "InvalidAMIID", "image id", "ec2_images")
VPC = Noun("vpc", "vpc", "InvalidVpcID", "vpc ID", "ec2_vpcs")
SUBNET = Noun("subnet", "subnet", "InvalidSubnetID", "subnet ID", "ec2_subnets")
GROUP = Noun(
    "sg",
    "security-group",
    "InvalidGroup",
    "security group",
    "ec2_security_groups",
    malformed="InvalidGroupId.Malformed",
)
INTERFACE = Noun(
    "eni", "network-interface", "InvalidNetworkInterfaceID", "networkInterface ID", "ec2_network_interfaces"
)
GATEWAY = Noun("igw", "internet-gateway", "InvalidInternetGatewayID", "internetGateway ID", "ec2_internet_gateways")
ROUTE_TABLE = Noun("rtb", "route-table", "InvalidRouteTableID", "routeTable ID", "ec2_route_tables")
VOLUME = Noun("vol", "volume", "InvalidVolume", "volume", "ec2_volumes")
KEY_PAIR = Noun("key", "key-pair", "InvalidKeyPair", "key pair", "ec2_key_pairs")
ADDRESS = Noun(
    "eipalloc", "elastic-ip", "InvalidAllocationID", "allocation ID", "ec2_public_addresses", "allocation_id"
)
DHCP_OPTIONS = Noun("dopt", "dhcp-options", "InvalidDhcpOptionID", "dhcpOption ID", "ec2_dhcp_options")

RULE = Noun(
    "sgr",
    "security-group-rule",
    "InvalidSecurityGroupRuleId",
    "security group rule ID",
    "(SELECT r.id, g.account_id, g.region FROM ec2_security_group_rules r "
    "JOIN ec2_security_groups g ON g.id = r.group_id)",
)

TAGGABLE = (
    INSTANCE,
    IMAGE,
    VPC,
    SUBNET,
    GROUP,
    INTERFACE,
    GATEWAY,
    ROUTE_TABLE,
    VOLUME,
    KEY_PAIR,
    DHCP_OPTIONS,
    ADDRESS,
    RULE,
)
BY_PREFIX = {noun.prefix: noun for noun in TAGGABLE}
