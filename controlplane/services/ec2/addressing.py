"""Addresses: what a subnet may give away, MAC addresses, public addresses."""

from __future__ import annotations

import random
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from controlplane.core.context import Context
from controlplane.services.ec2.errors import (
    InsufficientAddressCapacity,
    InsufficientFreeAddressesInSubnet,
    InvalidParameterValue,
)

RESERVED_HEAD, RESERVED_TAIL = 4, 1
"""AWS keeps the first four addresses of a subnet (network, gateway, DNS, future use) and the last."""
_TRIES = 8

_TAKEN = "SELECT address FROM ec2_network_interfaces WHERE subnet_id = $1"
# An address that another transaction is just taking is passed over: to wait for it could end in a deadlock.
_TAKE_PUBLIC = """
INSERT INTO ec2_public_addresses (address, account_id, region, allocation_id, network_interface_id)
SELECT $1, $2, $3, $4, $5 WHERE pg_try_advisory_xact_lock(hashtextextended('public-address:' || $1, 0))
ON CONFLICT (address) DO NOTHING RETURNING true
"""
_PUBLIC_TAKEN = "SELECT address FROM ec2_public_addresses"


def new_mac() -> str:
    """A locally administered unicast address, `06:…` as in EC2."""
    return ":".join(["06", *(f"{byte:02x}" for byte in secrets.token_bytes(5))])


def usable(cidr: str) -> int:
    """How many addresses a subnet can give away."""
    return IPv4Network(cidr).num_addresses - RESERVED_HEAD - RESERVED_TAIL


def may_be_given(cidr: str, address: str) -> bool:
    """Whether an address is in a subnet and not one that AWS keeps. Raises InvalidParameterValue for what is none."""
    try:
        network, wanted = IPv4Network(cidr), IPv4Address(address)
    except AddressValueError as error:
        raise InvalidParameterValue(f"Invalid IPv4 address: '{address}'") from error
    first, last = int(network.network_address) + RESERVED_HEAD, int(network.broadcast_address) - RESERVED_TAIL
    return first <= int(wanted) <= last


async def free_addresses(ctx: Context, subnet_id: str, cidr: str) -> Iterator[str]:
    """Free addresses of a subnet in random order. Raises InsufficientFreeAddressesInSubnet when there are none.

    The caller holds the subnet's row lock, so that nobody else gives away the same.
    """
    network = IPv4Network(cidr)
    first = int(network.network_address) + RESERVED_HEAD
    count = usable(cidr)
    taken = {int(IPv4Address(row["address"])) for row in await ctx.db.fetch(_TAKEN, subnet_id)}
    if len(taken) >= count:
        raise InsufficientFreeAddressesInSubnet(
            f"The specified subnet does not have enough free addresses to satisfy the request. ({subnet_id})"
        )
    return _shuffled(first, count, taken)


def _shuffled(first: int, count: int, taken: set[int]) -> Iterator[str]:
    offset, step = random.randrange(count), _coprime(count)  # noqa: S311 (spreads, hides nothing)
    for turn in range(count):
        number = first + (offset + turn * step) % count
        if number not in taken:
            yield str(IPv4Address(number))


def _coprime(count: int) -> int:
    # A step that shares no divisor with the count visits every address once.
    for step in (7919, 104729, 31, 7, 1):
        if step % count and count % step:
            return step
    return 1


async def take_public(
    ctx: Context,
    public_range: IPv4Network,
    *,
    allocation_id: str | None = None,
    interface_id: str | None = None,
) -> str:
    """Take a free public address, at random. Raises InsufficientAddressCapacity."""
    # The first addresses belong to the hosts' uplinks and to the VPCs' routers on them.
    first, last = (
        int(public_range.network_address) + public_range.num_addresses // 4,
        int(public_range.broadcast_address),
    )
    chances = (random.randrange(first, last) for _ in range(_TRIES))  # noqa: S311
    async for number in _then_all_free(ctx, chances, range(first, last)):
        address = str(IPv4Address(number))
        if await ctx.db.fetchval(_TAKE_PUBLIC, address, ctx.account_id, ctx.region, allocation_id, interface_id):
            return address
    raise InsufficientAddressCapacity("Insufficient capacity to allocate a public address.")


async def _then_all_free(ctx: Context, chances: Iterable[int], pool: range) -> AsyncIterator[int]:
    """A few guesses, which nearly always do; then, when the pool is nearly full, whatever is left of it."""
    for number in chances:
        yield number
    taken = {int(IPv4Address(row["address"])) for row in await ctx.db.fetch(_PUBLIC_TAKEN)}
    left = [number for number in pool if number not in taken]
    random.shuffle(left)
    for number in left:
        yield number
