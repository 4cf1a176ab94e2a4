"""Elastic network interfaces: making one with an address of its subnet, lending it a public address, removing it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any

from controlplane.core.context import Context, Unit
from controlplane.core.ids import resource_id
from controlplane.services.ec2 import addressing, tagging
from controlplane.services.ec2.errors import InsufficientFreeAddressesInSubnet, InvalidParameterValue

_INSERT = """
INSERT INTO ec2_network_interfaces
    (id, account_id, region, vpc_id, subnet_id, zone, mac, address, description, group_ids)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (subnet_id, address) DO NOTHING RETURNING id
"""
# An interface is locked before its public address, here and by AssociateAddress.
_LOCK_ATTACHED = """
SELECT id, delete_on_termination FROM ec2_network_interfaces WHERE instance_id = $1 ORDER BY id FOR UPDATE
"""
_ATTACH = """
UPDATE ec2_network_interfaces SET instance_id = $2, device_index = $3, attachment_id = $4, attached_at = now(),
    delete_on_termination = $5 WHERE id = $1 AND instance_id IS NULL RETURNING id
"""
_DETACH = """
UPDATE ec2_network_interfaces SET instance_id = NULL, device_index = NULL, attachment_id = NULL, attached_at = NULL
WHERE instance_id = $1
"""
_LENT = "DELETE FROM ec2_public_addresses WHERE network_interface_id = $1 AND allocation_id IS NULL"
_UNTIE = """
UPDATE ec2_public_addresses SET network_interface_id = NULL, association_id = NULL
WHERE network_interface_id = $1 AND allocation_id IS NOT NULL
"""
_IN_USE = "SELECT true FROM ec2_network_interfaces WHERE subnet_id = $1 AND address = $2"
_HAS_PUBLIC = "SELECT true FROM ec2_public_addresses WHERE network_interface_id = $1"


async def candidates(ctx: Context, subnet: Any, address: str | None) -> Iterator[str]:
    """The addresses that an interface in a subnet (a locked row) may get: the one asked for, or all free ones. Raises
    InvalidParameterValue, InvalidIPAddress.InUse, InsufficientFreeAddressesInSubnet."""
    if address is None:
        return await addressing.free_addresses(ctx, subnet["id"], subnet["cidr"])
    if not addressing.may_be_given(subnet["cidr"], address):
        raise InvalidParameterValue(f"Address {address} does not fall within the subnet's address range")
    if await ctx.db.fetchval(_IN_USE, subnet["id"], address):
        raise InvalidParameterValue(f"Address {address} is in use.", code="InvalidIPAddress.InUse")
    return iter([address])


async def create(
    ctx: Context,
    subnet: Any,
    groups: list[str],
    candidates: Iterator[str],
    *,
    description: str = "",
) -> str:
    """A network interface in a subnet (a locked row of ec2_subnets), with the first of the candidates that is free.
    Raises InsufficientFreeAddressesInSubnet."""
    for candidate in candidates:
        id = await ctx.db.fetchval(
            _INSERT,
            resource_id("eni"),
            ctx.account_id,
            ctx.region,
            subnet["vpc_id"],
            subnet["id"],
            subnet["zone"],
            addressing.new_mac(),
            candidate,
            description,
            groups,
        )
        if id:
            return str(id)
    raise InsufficientFreeAddressesInSubnet("The specified subnet does not have enough free addresses.")


async def attach(ctx: Context, interface: str, instance: str, index: int, *, delete_on_termination: bool) -> None:
    """Tie a free interface to an instance. Raises InvalidNetworkInterface.InUse."""
    attachment = resource_id("eni-attach")
    if not await ctx.db.fetchval(_ATTACH, interface, instance, index, attachment, delete_on_termination):
        raise InvalidParameterValue(f"Interface: [{interface}] in use.", code="InvalidNetworkInterface.InUse")


async def lend_public_address(ctx: Context, interface: str, public_range: IPv4Network) -> None:
    """Give an interface a public address while its instance runs, unless it has one."""
    if not await ctx.db.fetchval(_HAS_PUBLIC, interface):
        await addressing.take_public(ctx, public_range, interface_id=interface)


async def return_public_address(db: Unit, interface: str) -> None:
    """Take a lent public address back; an Elastic IP stays."""
    await db.execute(_LENT, interface)


async def release_instance(db: Unit, instance: str) -> None:
    """Let go of all interfaces of a terminated instance; those made with it are deleted."""
    for row in await db.fetch(_LOCK_ATTACHED, instance):
        await db.execute(_LENT, row["id"])
        if row["delete_on_termination"]:
            await delete(db, row["id"])
    await db.execute(_DETACH, instance)


async def delete(db: Unit, interface: str) -> None:
    """Delete an interface; an Elastic IP on it becomes free to associate."""
    await db.execute(_LENT, interface)
    await db.execute(_UNTIE, interface)
    await db.execute("DELETE FROM ec2_network_interfaces WHERE id = $1", interface)
    await tagging.forget(db, [interface])
