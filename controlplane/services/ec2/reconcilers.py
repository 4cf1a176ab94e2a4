"""What makes instances and VPCs on the hosts match what was asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from controlplane.core.context import Unit
from controlplane.fleet import consoles, desired, observed, placement
from controlplane.services.ec2 import interfaces, machines, tagging, topology
from controlplane.services.ec2.catalog import TYPES
from controlplane.services.ec2.queries import instances as queries
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler
from controlplane.work.wake import wake

INSTANCE = "ec2.instance"
VPC = "ec2.vpc"

SHOWN_AFTER_TERMINATION = timedelta(hours=1)
LAUNCH_PATIENCE = timedelta(minutes=5)
"""A launch that its host reports as failed for so long is given up."""
HOST_PATIENCE = timedelta(seconds=60)
"""So long a launch waits for hosts that are away, such as after everything was restarted."""
_WATCH_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 1.0

_placement = placement.Placement()

_IMAGE = "SELECT * FROM ec2_images WHERE id = $1"
_TAGS = "SELECT key, value FROM ec2_tags WHERE resource_id = $1"
_SIBLING_HOSTS = """
SELECT DISTINCT host_id FROM ec2_instances WHERE reservation_id = $1 AND host_id IS NOT NULL AND id <> $2
"""
_DELETE_VOLUMES = "DELETE FROM ec2_volumes WHERE instance_id = $1 AND delete_on_termination RETURNING id"
_DETACH_VOLUMES = "UPDATE ec2_volumes SET instance_id = NULL, device = NULL, attached_at = NULL WHERE instance_id = $1"


@reconciler(VPC)
async def reconcile_vpc(run: Run, key: str) -> Outcome:
    """Publish a VPC to its hosts after its groups, routes or addresses changed."""
    async with run.step() as db:
        await topology.publish(db, key)
    return None


@reconciler(INSTANCE)
async def reconcile_instance(run: Run, key: str) -> Outcome:
    """Take an instance one step nearer to its goal.

    Three transactions, so that none holds two of an instance, a VPC and a host's capacity in an order in which another
    wants them: capacity, then the network that the machine's port is in, then the machine.
    """
    async with run.step() as db:
        row = await queries.lock_instance(db, key)
        if row is None:
            return None
        if row["goal"] != "running":
            return await (_stop if row["goal"] == "stopped" else _terminate)(db, row)
        if (refused := await _hold_capacity(db, row)) is not None:
            return refused
    async with run.step() as db:
        await topology.publish(db, row["vpc_id"])
    async with run.step() as db:
        row = await queries.lock_instance(db, key)
        # Whoever changed the goal meanwhile has woken this key again.
        return await _run(db, row) if row is not None and row["goal"] == "running" else Again(0)


async def _hold_capacity(db: Unit, row: Any) -> Outcome:
    """Find a host for a new instance, or make its host hold a stopped one again. None when it has its place."""
    if row["host_id"] is None:
        if await _find_host(db, row) is not None:
            return None
        if _launching_since(row) < HOST_PATIENCE and not await placement.all_hosts_up(db):
            return Again(_LOOK_AGAIN_SECONDS)
        return await _give_up(db, row, "Server.InsufficientInstanceCapacity", "No host has room for this instance.")
    if row["state"] == "pending" and not await placement.unpark(db, row["id"], _ask(row)):
        return await _stay_stopped(db, row)
    return None


async def _run(db: Unit, row: Any) -> Outcome:
    host = row["host_id"]
    await _put_machine(db, host, row)
    report = await observed.report_of(db, row["id"], host)
    if report is None or not await desired.settled(db, host, "machine", row["id"]):
        return Again(_WATCH_SECONDS)
    if report.state == "running" and report.boots >= row["boots"]:
        if row["state"] != "running" or report.networked != row["networked"]:
            await queries.set_state(
                db, row["id"], "running", networked=report.networked, spans=report.spans, reason_code=None
            )
        return None
    if report.state == "stopped":
        return await _shut_down_from_inside(db, row, report.reason)
    if report.state == "failed" and row["state"] == "pending" and _launching_since(row) > LAUNCH_PATIENCE:
        return await _give_up(db, row, "Server.InternalError", report.reason or "Internal error on launch")
    return Again(_WATCH_SECONDS)


def _launching_since(row: Any) -> timedelta:
    since: datetime = row["launched_at"]
    return datetime.now(UTC) - since


async def _find_host(db: Unit, row: Any) -> str | None:
    siblings = await db.fetch(_SIBLING_HOSTS, row["reservation_id"], row["id"])
    volumes = await queries.volumes_of(db, [row["id"]])
    ask = _ask(row, sum(volume["size_gib"] for volume in volumes), frozenset(s["host_id"] for s in siblings))
    host = await _placement.reserve(db, row["id"], ask)
    if host is not None:
        await queries.set_state(db, row["id"], row["state"], host_id=host)
    return host


def _ask(row: Any, disk_gib: int = 0, avoid: frozenset[str] = frozenset()) -> placement.Ask:
    type = TYPES[row["type"]]
    return placement.Ask(type.vcpus, type.memory_mib, disk_gib, zone=row["zone"], avoid=avoid)


async def _put_machine(db: Unit, host: str, row: Any) -> None:
    image = await db.fetchrow(_IMAGE, row["image_id"])
    ports = await queries.interfaces_of(db, [row["id"]])
    volumes = await queries.volumes_of(db, [row["id"]])
    tags = {tag["key"]: tag["value"] for tag in await db.fetch(_TAGS, row["id"])}
    await desired.put(db, host, machines.document(row, image, ports, volumes, tags), waker=INSTANCE)


async def _give_up(db: Unit, row: Any, code: str, message: str) -> Outcome:
    await queries.set_state(
        db,
        row["id"],
        "shutting-down",
        goal="terminated",
        reason_code=code,
        reason_message=f"{code}: {message}",
        transition_reason=code,
    )
    outcome = await _terminate(db, await queries.lock_instance(db, row["id"]))
    return outcome or GONE


async def _stay_stopped(db: Unit, row: Any) -> Outcome:
    code = "Server.InsufficientInstanceCapacity"
    await queries.set_state(
        db,
        row["id"],
        "stopped",
        goal="stopped",
        reason_code=code,
        reason_message=f"{code}: The host that holds this instance's disk has no room for it now.",
    )
    await _return_public_addresses(db, row)
    return GONE


async def _shut_down_from_inside(db: Unit, row: Any, told: str | None) -> Outcome:
    """The guest switched itself off, or its process died: `told` says which, as `Code: words`."""
    message = told or "Client.InstanceInitiatedShutdown: Instance initiated shutdown"
    code = message.partition(":")[0]
    reason = {"reason_code": code, "reason_message": message}
    if row["shutdown_behavior"] == "terminate" and code.startswith("Client."):
        await queries.set_state(db, row["id"], "shutting-down", goal="terminated", **reason)
    else:
        await queries.set_state(db, row["id"], "stopping", goal="stopped", **reason)
    await wake(db, INSTANCE, row["id"])
    return None


async def _stop(db: Unit, row: Any) -> Outcome:
    host = row["host_id"]
    if row["state"] == "stopped":
        return None
    if host is not None:
        await _put_machine(db, host, row)
        report = await observed.report_of(db, row["id"], host)
        settled = await desired.settled(db, host, "machine", row["id"])
        if not settled or report is None or report.state not in ("stopped", "absent"):
            return Again(_WATCH_SECONDS)
        await placement.park(db, row["id"])
    await queries.set_state(db, row["id"], "stopped", networked=False, stopped_at=datetime.now(UTC))
    await _return_public_addresses(db, row)
    return None


async def _return_public_addresses(db: Unit, row: Any) -> None:
    for port in await queries.interfaces_of(db, [row["id"]]):
        await interfaces.return_public_address(db, port["id"])
    await wake(db, VPC, row["vpc_id"])


async def _terminate(db: Unit, row: Any) -> Outcome:
    host = row["host_id"]
    if row["state"] == "terminated":
        return await _forget(db, row)
    if host is not None:
        await desired.remove(db, host, "machine", row["id"], waker=INSTANCE)
        report = await observed.report_of(db, row["id"], host)
        settled = await desired.settled(db, host, "machine", row["id"])
        if not settled or report is None or report.state != "absent":
            return Again(_WATCH_SECONDS)
        await observed.forget(db, row["id"], host)
    await queries.set_state(db, row["id"], "terminated", terminated_at=datetime.now(UTC), networked=False, host_id=None)
    await placement.release(db, row["id"])
    await interfaces.release_instance(db, row["id"])
    gone = [volume["id"] for volume in await db.fetch(_DELETE_VOLUMES, row["id"])]
    await tagging.forget(db, gone)
    await db.execute(_DETACH_VOLUMES, row["id"])
    await wake(db, VPC, row["vpc_id"])
    return Again(SHOWN_AFTER_TERMINATION.total_seconds())


async def _forget(db: Unit, row: Any) -> Outcome:
    left = row["terminated_at"] + SHOWN_AFTER_TERMINATION - datetime.now(UTC)
    if left > timedelta():
        return Again(left.total_seconds())
    await tagging.forget(db, [row["id"]])
    await consoles.forget(db, row["id"])
    await db.execute("DELETE FROM ec2_instances WHERE id = $1", row["id"])
    return None
