"""What a new VPC comes with, and the default VPC that every account has in every region."""

from __future__ import annotations

from ipaddress import IPv4Network

from controlplane.core.context import Context
from controlplane.core.ids import resource_id

ZONE_LETTERS = ("a", "b", "c")
DEFAULT_CIDR = "172.31.0.0/16"

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('ec2-default-vpc:' || $1 || ':' || $2, 0))"
_EVER_HAD = "SELECT true FROM ec2_default_vpcs_made WHERE account_id = $1 AND region = $2"
_NOTE_MADE = "INSERT INTO ec2_default_vpcs_made (account_id, region) VALUES ($1, $2) ON CONFLICT DO NOTHING"


def zones(region: str) -> list[str]:
    """The availability zones of a region."""
    return [region + letter for letter in ZONE_LETTERS]


def zone_id(zone: str) -> str:
    """The zone's id, such as `use1-az1` for us-east-1a."""
    region, letter = zone[:-1], zone[-1]
    head, direction, number = region.split("-")
    short = {"northeast": "ne", "southeast": "se", "northwest": "nw", "southwest": "sw"}.get(direction, direction[0])
    return f"{head}{short}{number}-az{ZONE_LETTERS.index(letter) + 1}"


_made: set[tuple[str, str]] = set()


async def ensure_default_vpc(ctx: Context) -> None:
    """Make the account's default VPC in this region, the first time it is asked for anything there.

    Remembered per process, so that it costs nothing afterwards; one that its owner deleted does not come back.
    """
    key = (ctx.account_id, ctx.region)
    if key in _made:
        return
    if not await ctx.db.fetchval(_EVER_HAD, *key):
        await lock_default_vpc(ctx)
        if not await ctx.db.fetchval(_EVER_HAD, *key):
            await create_default_vpc(ctx)
    ctx.db.after_commit(lambda: _made.add(key))


async def lock_default_vpc(ctx: Context) -> None:
    """Keep others from making this account's default VPC in this region until the end of the transaction."""
    await ctx.db.execute(_LOCK, ctx.account_id, ctx.region)


async def create_default_vpc(ctx: Context) -> str:
    """A default VPC with a subnet in every zone, an internet gateway and a route to it. Answers its id."""
    await ctx.db.execute(_NOTE_MADE, ctx.account_id, ctx.region)
    vpc = await create_vpc(ctx, DEFAULT_CIDR, is_default=True)
    gateway = resource_id("igw")
    await ctx.db.insert("ec2_internet_gateways", id=gateway, account_id=ctx.account_id, region=ctx.region, vpc_id=vpc)
    table = await ctx.db.fetchval("SELECT id FROM ec2_route_tables WHERE vpc_id = $1 AND main", vpc)
    await ctx.db.insert("ec2_routes", route_table_id=table, cidr="0.0.0.0/0", gateway_id=gateway)
    blocks = IPv4Network(DEFAULT_CIDR).subnets(new_prefix=20)
    for zone, block in zip(zones(ctx.region), blocks, strict=False):
        await create_subnet(ctx, vpc, zone, str(block), is_default=True)
    return vpc


async def create_vpc(ctx: Context, cidr: str, *, is_default: bool = False, tenancy: str = "default") -> str:
    """A VPC with its DHCP options, main route table and default security group. Answers its id."""
    vpc = resource_id("vpc")
    own = {"account_id": ctx.account_id, "region": ctx.region}
    await ctx.db.insert(
        "ec2_vpcs",
        id=vpc,
        cidr=cidr,
        is_default=is_default,
        tenancy=tenancy,
        dhcp_options_id=await _dhcp_options(ctx),
        network_acl_id=resource_id("acl"),
        dns_hostnames=is_default,
        cidr_association_id=resource_id("vpc-cidr-assoc"),
        **own,
    )
    await ctx.db.insert(
        "ec2_route_tables",
        id=resource_id("rtb"),
        vpc_id=vpc,
        main=True,
        main_association_id=resource_id("rtbassoc"),
        **own,
    )
    await _default_group(ctx, vpc)
    return vpc


async def _dhcp_options(ctx: Context) -> str:
    found = await ctx.db.fetchval(
        "SELECT id FROM ec2_dhcp_options WHERE account_id = $1 AND region = $2 ORDER BY created_at LIMIT 1",
        ctx.account_id,
        ctx.region,
    )
    if found:
        return str(found)
    id = resource_id("dopt")
    domain = "ec2.internal" if ctx.region == "us-east-1" else f"{ctx.region}.compute.internal"
    await ctx.db.insert(
        "ec2_dhcp_options",
        id=id,
        account_id=ctx.account_id,
        region=ctx.region,
        configuration={"domain-name": [domain], "domain-name-servers": ["AmazonProvidedDNS"]},
    )
    return id


async def _default_group(ctx: Context, vpc: str) -> None:
    group = resource_id("sg")
    await ctx.db.insert(
        "ec2_security_groups",
        id=group,
        account_id=ctx.account_id,
        region=ctx.region,
        vpc_id=vpc,
        name="default",
        description="default VPC security group",
    )
    await ctx.db.insert(
        "ec2_security_group_rules",
        id=resource_id("sgr"),
        group_id=group,
        egress=False,
        protocol="-1",
        source_group_id=group,
    )
    await allow_all_out(ctx, group)


async def allow_all_out(ctx: Context, group: str) -> None:
    """The egress rule that every new security group has."""
    await ctx.db.insert(
        "ec2_security_group_rules",
        id=resource_id("sgr"),
        group_id=group,
        egress=True,
        protocol="-1",
        cidr="0.0.0.0/0",
    )


async def create_subnet(ctx: Context, vpc: str, zone: str, cidr: str, *, is_default: bool = False) -> str:
    """A subnet. Answers its id."""
    id = resource_id("subnet")
    await ctx.db.insert(
        "ec2_subnets",
        id=id,
        account_id=ctx.account_id,
        region=ctx.region,
        vpc_id=vpc,
        zone=zone,
        cidr=cidr,
        is_default=is_default,
        map_public=is_default,
        network_acl_association_id=resource_id("aclassoc"),
    )
    return id
