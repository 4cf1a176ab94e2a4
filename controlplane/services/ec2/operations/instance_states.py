"""Start, stop, reboot, terminate, and DescribeInstanceStatus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.ec2 import describing, interfaces, permissions, quotas, shapes
from controlplane.services.ec2.catalog import TYPES
from controlplane.services.ec2.errors import IncorrectInstanceState, OperationNotPermitted
from controlplane.services.ec2.nouns import INSTANCE
from controlplane.services.ec2.operations.instances import FILTERS, filtered
from controlplane.services.ec2.queries import instances as queries
from controlplane.services.ec2.reconcilers import INSTANCE as WORK

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeInstanceStatusRequestTypeDef,
        RebootInstancesRequestTypeDef,
        StartInstancesRequestTypeDef,
        StopInstancesRequestTypeDef,
        TerminateInstancesRequestTypeDef,
    )

on_instances = permissions.named(INSTANCE, "InstanceIds")


async def _locked(ctx: Context, request: Any) -> list[Any]:
    """The named instances, locked and in the order in which they were named."""
    ids = list(dict.fromkeys(request["InstanceIds"]))
    INSTANCE.check(ids)
    rows = {row["id"]: row for row in await queries.lock_instances(ctx, ids)}
    describing.require(INSTANCE, ids, rows.values())
    return [rows[id] for id in ids]


def _change(row: Any, state: str) -> dict[str, Any]:
    return {"InstanceId": row["id"], "PreviousState": shapes.state(row["state"]), "CurrentState": shapes.state(state)}


def _require_states(rows: Sequence[Any], states: Sequence[str], deed: str) -> None:
    for row in rows:
        if row["state"] not in states:
            raise IncorrectInstanceState(f"The instance '{row['id']}' is not in a state from which it can be {deed}.")


@operation("StartInstances", on=on_instances)
async def start_instances(ctx: Context, request: StartInstancesRequestTypeDef) -> dict[str, Any]:
    """Start stopped instances. Raises IncorrectInstanceState, VcpuLimitExceeded."""
    rows = await _locked(ctx, request)
    _require_states(rows, ("stopped", "pending", "running"), "started")
    await quotas.room_for_vcpus(ctx, sum(TYPES[row["type"]].vcpus for row in rows if row["state"] == "stopped"))
    changes = []
    for row in rows:
        if row["state"] != "stopped":
            changes.append(_change(row, row["state"]))
            continue
        await ctx.db.execute(_START, row["id"])
        for port in await queries.interfaces_of(ctx.db, [row["id"]]):
            if row["public_wanted"]:
                await interfaces.lend_public_address(ctx, port["id"], ctx.cloud.public_range)
        await ctx.wake(WORK, row["id"])
        changes.append(_change(row, "pending"))
    return {"StartingInstances": changes}


_START = """
UPDATE ec2_instances SET goal = 'running', state = 'pending', boots = boots + 1, launched_at = now(),
    transition_reason = '', reason_code = NULL, reason_message = NULL WHERE id = $1
"""
_END = """
UPDATE ec2_instances SET goal = $2, state = $3, reason_code = $4, reason_message = $5,
    transition_reason = 'User initiated (' || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' GMT)'
WHERE id = $1
"""


@operation("StopInstances", on=on_instances)
async def stop_instances(ctx: Context, request: StopInstancesRequestTypeDef) -> dict[str, Any]:
    """Stop running instances. Raises IncorrectInstanceState, OperationNotPermitted."""
    rows = await _locked(ctx, request)
    _require_states(rows, ("running", "stopping", "stopped"), "stopped")
    for row in rows:
        if row["stop_protected"]:
            raise OperationNotPermitted(
                f"The instance '{row['id']}' may not be stopped. Modify its 'disableApiStop' instance attribute and "
                "try again."
            )
    reason = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")
    return {"StoppingInstances": await _end(ctx, rows, "stopped", "stopping", ("stopping", "stopped"), reason)}


@operation("TerminateInstances", on=on_instances)
async def terminate_instances(ctx: Context, request: TerminateInstancesRequestTypeDef) -> dict[str, Any]:
    """Terminate instances; again, for those that are gone already, is no error. Raises OperationNotPermitted."""
    rows = await _locked(ctx, request)
    for row in rows:
        if row["protected"] and row["state"] not in ("shutting-down", "terminated"):
            raise OperationNotPermitted(
                f"The instance '{row['id']}' may not be terminated. Modify its 'disableApiTermination' instance "
                "attribute and try again."
            )
    reason = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")
    ended = ("shutting-down", "terminated")
    return {"TerminatingInstances": await _end(ctx, rows, "terminated", "shutting-down", ended, reason)}


async def _end(
    ctx: Context, rows: Sequence[Any], goal: str, state: str, ended: Sequence[str], reason: tuple[str, str]
) -> list[dict[str, Any]]:
    changes = []
    for row in rows:
        if row["state"] in ended:
            changes.append(_change(row, row["state"]))
            continue
        await ctx.db.execute(_END, row["id"], goal, state, *reason)
        await ctx.wake(WORK, row["id"])
        changes.append(_change(row, state))
    return changes


@operation("RebootInstances", on=on_instances)
async def reboot_instances(ctx: Context, request: RebootInstancesRequestTypeDef) -> None:
    """Reboot running instances. Raises IncorrectInstanceState."""
    rows = await _locked(ctx, request)
    _require_states(rows, ("running", "pending"), "rebooted")
    for row in rows:
        await ctx.db.execute("UPDATE ec2_instances SET boots = boots + 1 WHERE id = $1", row["id"])
        await ctx.wake(WORK, row["id"])


STATUS_FILTERS = {
    **{name: FILTERS[name] for name in ("instance-state-name", "instance-state-code", "availability-zone")},
    "instance-status.status": lambda row: _status(row),
    "system-status.status": lambda row: _status(row),
    "instance-status.reachability": lambda row: _reachability(row),
    "system-status.reachability": lambda row: _reachability(row),
}


@operation("DescribeInstanceStatus", on=ANY)
async def describe_instance_status(ctx: Context, request: DescribeInstanceStatusRequestTypeDef) -> dict[str, Any]:
    """Status checks of running instances, or of all with IncludeAllInstances. An instance passes its own check once
    its guest has asked for its address or its metadata."""
    rows = await filtered(ctx, {"InstanceIds": request.get("InstanceIds")})
    if not request.get("IncludeAllInstances"):
        rows = [row for row in rows if row["state"] == "running"]
    rows = describing.matching(rows, request, STATUS_FILTERS)
    found, token = describing.page(rows, request, ids="InstanceIds")
    return {"InstanceStatuses": [_instance_status(row) for row in found], "NextToken": token}


def _instance_status(row: Any) -> dict[str, Any]:
    running = row["state"] == "running"
    system = "ok" if running else "not-applicable"
    return {
        "InstanceId": row["id"],
        "AvailabilityZone": row["zone"],
        "InstanceState": shapes.state(row["state"]),
        "SystemStatus": _summary(system, "passed" if running else None),
        "InstanceStatus": _summary(_status(row), _reachability(row)),
    }


def _status(row: Any) -> str:
    if row["state"] != "running":
        return "not-applicable"
    return "ok" if row["networked"] else "initializing"


def _reachability(row: Any) -> str | None:
    if row["state"] != "running":
        return None
    return "passed" if row["networked"] else "initializing"


def _summary(status: str, reachability: str | None) -> dict[str, Any]:
    details = [{"Name": "reachability", "Status": reachability}] if reachability else []
    return {"Status": status, "Details": details}
