"""Attributes of instances."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import ANY, operation
from controlplane.services.ec2 import describing, launching, permissions, shapes
from controlplane.services.ec2.catalog import TYPES
from controlplane.services.ec2.errors import (
    IncorrectInstanceState,
    InvalidGroupNotFound,
    InvalidParameterCombination,
    InvalidParameterValue,
)
from controlplane.services.ec2.nouns import GROUP, INSTANCE
from controlplane.services.ec2.queries import instances as queries
from controlplane.services.ec2.reconcilers import INSTANCE as WORK
from controlplane.services.ec2.reconcilers import VPC as VPC_WORK

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeInstanceAttributeRequestTypeDef,
        DescribeInstanceCreditSpecificationsRequestTypeDef,
        ModifyInstanceAttributeRequestTypeDef,
        ModifyInstanceCreditSpecificationRequestTypeDef,
        ModifyInstanceMetadataOptionsRequestTypeDef,
        MonitorInstancesRequestTypeDef,
        UnmonitorInstancesRequestTypeDef,
    )

_TOLD = ("InvalidInstanceID.Malformed", "InvalidInstanceID.NotFound", "IncorrectInstanceState")
on_instance = permissions.named(INSTANCE, "InstanceId")

_GROUPS = "SELECT id FROM ec2_security_groups WHERE id = ANY($1) AND vpc_id = $2 ORDER BY id FOR KEY SHARE"
_SET_GROUPS = "UPDATE ec2_network_interfaces SET group_ids = $2 WHERE instance_id = $1 AND device_index = 0"
_SET_CHECK = "UPDATE ec2_network_interfaces SET source_dest_check = $2 WHERE instance_id = $1"


async def _one(ctx: Context, id: str) -> Any:
    INSTANCE.check([id])
    rows = await queries.list_instances(ctx, [id])
    describing.require(INSTANCE, [id], rows)
    return rows[0]


async def _locked(ctx: Context, id: str) -> Any:
    INSTANCE.check([id])
    rows = await queries.lock_instances(ctx, [id])
    describing.require(INSTANCE, [id], rows)
    return rows[0]


@operation("DescribeInstanceAttribute", on=on_instance)
async def describe_instance_attribute(ctx: Context, request: DescribeInstanceAttributeRequestTypeDef) -> dict[str, Any]:
    """One attribute of an instance."""
    row, name = await _one(ctx, request["InstanceId"]), request["Attribute"]
    shown = (await shapes.instances(ctx, [row]))[0]
    data = base64.b64encode(row["user_data"]).decode() if row["user_data"] is not None else None
    members: dict[str, dict[str, Any]] = {
        "instanceType": {"InstanceType": {"Value": row["type"]}},
        "kernel": {"KernelId": {}},
        "ramdisk": {"RamdiskId": {}},
        "userData": {"UserData": {"Value": data} if data else {}},
        "disableApiTermination": {"DisableApiTermination": {"Value": row["protected"]}},
        "disableApiStop": {"DisableApiStop": {"Value": row["stop_protected"]}},
        "instanceInitiatedShutdownBehavior": {"InstanceInitiatedShutdownBehavior": {"Value": row["shutdown_behavior"]}},
        "rootDeviceName": {"RootDeviceName": {"Value": shown["RootDeviceName"]}},
        "blockDeviceMapping": {"BlockDeviceMappings": shown["BlockDeviceMappings"]},
        "productCodes": {"ProductCodes": []},
        "sourceDestCheck": {"SourceDestCheck": {"Value": shown.get("SourceDestCheck", True)}},
        "groupSet": {"Groups": shown["SecurityGroups"]},
        "ebsOptimized": {"EbsOptimized": {"Value": row["ebs_optimized"]}},
        "sriovNetSupport": {"SriovNetSupport": {}},
        "enaSupport": {"EnaSupport": {"Value": True}},
        "enclaveOptions": {"EnclaveOptions": {"Enabled": False}},
    }
    if name not in members:
        raise InvalidParameterValue(f"Value ({name}) for parameter attribute is invalid. Unknown attribute.")
    return {"InstanceId": row["id"], **members[name]}


def _value(request: Any, member: str, attribute: str) -> Any:
    """A new value, from its own parameter or from the `Attribute`/`Value` pair."""
    if member in request:
        given = request[member]
        return given.get("Value") if isinstance(given, dict) else given
    if request.get("Attribute") == attribute:
        return request.get("Value")
    return None


@operation("ModifyInstanceAttribute", on=on_instance)
async def modify_instance_attribute(ctx: Context, request: ModifyInstanceAttributeRequestTypeDef) -> None:
    """Change one attribute; the type and the user data only while the instance is stopped."""
    row = await _locked(ctx, request["InstanceId"])
    if (protected := _value(request, "DisableApiTermination", "disableApiTermination")) is not None:
        await _set(ctx, row, protected=_boolean(protected))
    elif (stop := _value(request, "DisableApiStop", "disableApiStop")) is not None:
        await _set(ctx, row, stop_protected=_boolean(stop))
    elif behavior := _value(request, "InstanceInitiatedShutdownBehavior", "instanceInitiatedShutdownBehavior"):
        if behavior not in ("stop", "terminate"):
            raise InvalidParameterValue(f"Value ({behavior}) for instanceInitiatedShutdownBehavior is invalid.")
        await _set(ctx, row, shutdown_behavior=behavior)
    elif type := _value(request, "InstanceType", "instanceType"):
        await _set_type(ctx, row, type)
    elif "UserData" in request or request.get("Attribute") == "userData":
        _require_stopped(row)
        await _set(ctx, row, user_data=_user_data(_value(request, "UserData", "userData")))
    elif groups := request.get("Groups"):
        await _set_groups(ctx, row, list(groups))
    elif (check := _value(request, "SourceDestCheck", "sourceDestCheck")) is not None:
        await ctx.db.execute(_SET_CHECK, row["id"], _boolean(check))
        await ctx.wake(VPC_WORK, row["vpc_id"])
    elif (optimized := _value(request, "EbsOptimized", "ebsOptimized")) is not None:
        await _set(ctx, row, ebs_optimized=_boolean(optimized))
    elif mappings := request.get("BlockDeviceMappings"):
        await _set_deletion(ctx, row, mappings)
    else:
        raise InvalidParameterCombination("No attributes specified.")


def _boolean(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() == "true"


def _user_data(value: Any) -> bytes | None:
    # Here the model has a blob, already decoded; the Attribute/Value pair has Base64 text, as RunInstances has.
    return bytes(value) if isinstance(value, bytes | bytearray) else launching.user_data(value)


async def _set(ctx: Context, row: Any, **columns: Any) -> None:
    await queries.set_columns(ctx.db, row["id"], **columns)


def _require_stopped(row: Any) -> None:
    if row["state"] != "stopped":
        raise IncorrectInstanceState(f"The instance '{row['id']}' is not in the 'stopped' state.")


async def _set_type(ctx: Context, row: Any, type: str) -> None:
    _require_stopped(row)
    if type not in TYPES:
        raise InvalidParameterValue(f"Invalid value '{type}' for InstanceType.")
    await _set(ctx, row, type=type)


async def _set_groups(ctx: Context, row: Any, groups: list[str]) -> None:
    groups = list(dict.fromkeys(groups))
    GROUP.check(groups)
    found = {item["id"] for item in await ctx.db.fetch(_GROUPS, groups, row["vpc_id"])}
    if lacking := set(groups) - found:
        raise InvalidGroupNotFound(f"The security group '{sorted(lacking)[0]}' does not exist")
    await ctx.db.execute(_SET_GROUPS, row["id"], groups)
    await ctx.wake(VPC_WORK, row["vpc_id"])


async def _set_deletion(ctx: Context, row: Any, mappings: Any) -> None:
    for mapping in mappings:
        keep = (mapping.get("Ebs") or {}).get("DeleteOnTermination")
        if keep is not None:
            await ctx.db.execute(
                "UPDATE ec2_volumes SET delete_on_termination = $3 WHERE instance_id = $1 AND device = $2",
                row["id"],
                mapping.get("DeviceName"),
                keep,
            )


@operation("ModifyInstanceMetadataOptions", on=on_instance)
async def modify_instance_metadata_options(
    ctx: Context, request: ModifyInstanceMetadataOptionsRequestTypeDef
) -> dict[str, Any]:
    """Change how the instance reaches its metadata; in force within a second or two."""
    row = await _locked(ctx, request["InstanceId"])
    given = {key: value for key, value in request.items() if key in shapes.METADATA_DEFAULTS and key != "State"}
    await _set(ctx, row, metadata_options={**row["metadata_options"], **given})
    await ctx.wake(WORK, row["id"])
    return {
        "InstanceId": row["id"],
        "InstanceMetadataOptions": {**shapes.metadata_options(row), **given, "State": "pending"},
    }


@operation("MonitorInstances", on=permissions.named(INSTANCE, "InstanceIds"))
async def monitor_instances(ctx: Context, request: MonitorInstancesRequestTypeDef) -> dict[str, Any]:
    """Turn detailed monitoring on."""
    return await _monitor(ctx, request["InstanceIds"], monitored=True)


@operation("UnmonitorInstances", on=permissions.named(INSTANCE, "InstanceIds"))
async def unmonitor_instances(ctx: Context, request: UnmonitorInstancesRequestTypeDef) -> dict[str, Any]:
    """Turn detailed monitoring off."""
    return await _monitor(ctx, request["InstanceIds"], monitored=False)


async def _monitor(ctx: Context, ids: Any, *, monitored: bool) -> dict[str, Any]:
    INSTANCE.check(ids)
    rows = await queries.lock_instances(ctx, ids)
    describing.require(INSTANCE, ids, rows)
    for row in rows:
        await _set(ctx, row, monitoring=monitored)
    state = "pending" if monitored else "disabling"
    return {"InstanceMonitorings": [{"InstanceId": row["id"], "Monitoring": {"State": state}} for row in rows]}


CREDIT_FILTERS: dict[str, describing.Extract] = {"instance-id": describing.column("id")}


@operation("DescribeInstanceCreditSpecifications", on=ANY)
async def describe_instance_credit_specifications(
    ctx: Context, request: DescribeInstanceCreditSpecificationsRequestTypeDef
) -> dict[str, Any]:
    """How burstable instances get processor time: as told, or by their family's default. Raises
    InvalidInstanceID.NotFound."""
    wanted = request.get("InstanceIds")
    rows = await queries.list_instances(ctx, wanted)
    describing.require(INSTANCE, wanted, rows)
    burstable = [row for row in describing.matching(rows, request, CREDIT_FILTERS) if TYPES[row["type"]].burstable]
    found, token = describing.page(burstable, request, ids="InstanceIds")
    shown = [
        {
            "InstanceId": row["id"],
            "CpuCredits": row["credits"] or ("standard" if row["type"].startswith("t2.") else "unlimited"),
        }
        for row in found
    ]
    return {"InstanceCreditSpecifications": shown, "NextToken": token}


def _credited(ctx: Context, request: Any) -> Any:
    ids = [item["InstanceId"] for item in request["InstanceCreditSpecifications"] if item.get("InstanceId")]
    return permissions.named(INSTANCE, "InstanceIds")(ctx, {"InstanceIds": ids})


@operation("ModifyInstanceCreditSpecification", on=_credited)
async def modify_instance_credit_specification(
    ctx: Context, request: ModifyInstanceCreditSpecificationRequestTypeDef
) -> dict[str, Any]:
    """Say how burstable instances get processor time; each that cannot be changed is told with its reason."""
    done: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for item in request["InstanceCreditSpecifications"]:
        id = item.get("InstanceId", "")
        try:
            row = await _locked(ctx, id)
            await _set(ctx, row, credits=launching.credits(item.get("CpuCredits"), row["type"]))
            done.append({"InstanceId": id})
        except AwsError as error:
            told = error.code if error.code in _TOLD else "InstanceCreditSpecification.NotSupported"
            failed.append({"InstanceId": id, "Error": {"Code": told, "Message": error.message}})
    return {
        "SuccessfulInstanceCreditSpecifications": done,
        "UnsuccessfulInstanceCreditSpecifications": failed,
    }
