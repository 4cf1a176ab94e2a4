"""Virtual MFA devices of users and of root."""

from __future__ import annotations

import base64
import io
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import segno

from controlplane.access import mfa
from controlplane.access.attempts import TooManyAttempts
from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.core.tags import to_list
from controlplane.services.iam import identities as common
from controlplane.services.iam import permissions, shapes
from controlplane.services.iam.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    EntityTemporarilyUnmodifiable,
    InvalidAuthenticationCode,
    LimitExceeded,
    NoSuchEntity,
    ValidationError,
)
from controlplane.services.iam.nouns import USER
from controlplane.services.iam.queries import devices, identities

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreateVirtualMFADeviceRequestTypeDef,
        DeactivateMFADeviceRequestTypeDef,
        DeleteVirtualMFADeviceRequestTypeDef,
        EnableMFADeviceRequestTypeDef,
        GetMFADeviceRequestTypeDef,
        ListMFADevicesRequestTypeDef,
        ListVirtualMFADevicesRequestTypeDef,
        ResyncMFADeviceRequestTypeDef,
    )

MAX_DEVICES = 8
_ENABLING = 3
_RESYNCING = 120
"""Steps of 30 seconds within which two codes are looked for."""


async def on_new(ctx: Context, request: Any) -> list[Resource]:
    """The device to be."""
    return [Resource(_serial(ctx, request.get("Path") or "/", request.get("VirtualMFADeviceName") or ""))]


async def on_device(ctx: Context, request: Any) -> list[Resource]:
    """The device that a request names."""
    serial = request.get("SerialNumber") or ""
    row = await devices.find(ctx, serial)
    return [
        Resource(serial if serial.startswith("arn:") else _serial(ctx, "/", serial), dict(row["tags"]) if row else {})
    ]


def _serial(ctx: Context, path: str, name: str) -> str:
    return f"arn:aws:iam::{ctx.account_id}:mfa{path}{name}"


async def _device(ctx: Context, serial: str) -> Any:
    row = await devices.lock(ctx, serial)
    if row is None:
        raise NoSuchEntity(f"VirtualMFADevice with serial number {serial} does not exist.")
    return row


async def _owner(ctx: Context, name: str | None) -> tuple[str, str]:
    """Id and name of whom a device belongs to: a user, or root where it calls without a name. Raises NoSuchEntity."""
    if ctx.principal.is_root and name in (None, "", "root"):
        return ctx.account_id, "root"
    row = await identities.lock(ctx, USER, common.name_or_own(ctx, name))
    return row["id"], row["name"]


async def _owned(ctx: Context, request: Any) -> Any:
    """The device that a request names of the user whom it names. Raises NoSuchEntity."""
    owner, name = await _owner(ctx, request.get("UserName"))
    row = await devices.lock(ctx, request["SerialNumber"])
    if row is None or row["owner_id"] != owner:
        raise NoSuchEntity(f"MFA Device with serial number {request['SerialNumber']} not found for user {name}.")
    return row


@operation("CreateVirtualMFADevice", on=on_new)
async def create_virtual_mfa_device(ctx: Context, request: CreateVirtualMFADeviceRequestTypeDef) -> dict[str, Any]:
    """Make a device. Its seed, in Base32 and as a QR code, is told only now. Raises EntityAlreadyExists."""
    name = request["VirtualMFADeviceName"]
    serial, tags = _serial(ctx, request.get("Path") or "/", name), common.new_tags(request.get("Tags"))
    seed = mfa.new_seed()
    if not await devices.insert(ctx, serial, name, ctx.engine("sealing").seal(mfa.SEED, seed, serial), tags):
        raise EntityAlreadyExists("MFADevice entity at the same path and name already exists.")
    text = base64.b32encode(seed)
    made: dict[str, Any] = {"SerialNumber": serial, "Base32StringSeed": text, "QRCodePNG": _qr_code(ctx, name, text)}
    return {"VirtualMFADevice": {**made, "Tags": to_list(tags)} if tags else made}


def _qr_code(ctx: Context, name: str, seed: bytes) -> bytes:
    """What authenticator apps read: an otpauth URI."""
    label = quote(f"Celaje:{name}@{ctx.account_id}")
    image = io.BytesIO()
    segno.make(f"otpauth://totp/{label}?secret={seed.decode()}&issuer=Celaje", error="m", micro=False).save(
        image, kind="png", scale=5
    )
    return image.getvalue()


@operation("EnableMFADevice", on=permissions.named(USER))
async def enable_mfa_device(ctx: Context, request: EnableMFADeviceRequestTypeDef) -> None:
    """Bind a device to a user who shows two codes in a row.

    Raises NoSuchEntity, EntityAlreadyExists, InvalidAuthenticationCode, LimitExceeded.
    """
    owner, _ = await _owner(ctx, request["UserName"])
    row = await _device(ctx, request["SerialNumber"])
    if row["owner_id"] is not None:
        raise EntityAlreadyExists(f"MFADevice with serial number {row['serial']} already exists.")
    if await devices.count(ctx, owner) >= MAX_DEVICES:
        raise LimitExceeded(f"Cannot exceed quota for MFADevicesPerUser: {MAX_DEVICES}")
    step = await _step(ctx, row, request, _ENABLING)
    if step <= row["last_step"]:
        raise _wrong()
    await devices.enable(ctx, row["serial"], owner, step, step - int(time.time()) // mfa.STEP)


@operation("ResyncMFADevice", on=permissions.named(USER))
async def resync_mfa_device(ctx: Context, request: ResyncMFADeviceRequestTypeDef) -> None:
    """Learn from two codes in a row how far a device's clock is off. Raises NoSuchEntity, InvalidAuthenticationCode."""
    row = await _owned(ctx, request)
    step = await _step(ctx, row, request, _RESYNCING)
    if not await devices.sync(ctx, row["serial"], step, step - int(time.time()) // mfa.STEP):
        raise _wrong()


def _wrong() -> InvalidAuthenticationCode:
    return InvalidAuthenticationCode("Authentication code for device is not valid.")


async def _step(ctx: Context, row: Any, request: Any, window: int) -> int:
    attempts = ctx.engine("attempts")
    try:
        await attempts.begin(row["serial"])
    except TooManyAttempts as error:
        raise EntityTemporarilyUnmodifiable("Too many wrong codes; please try again later.") from error
    seed = ctx.engine("sealing").open(mfa.SEED, row["seed"], row["serial"])
    step = mfa.consecutive(seed, request["AuthenticationCode1"], request["AuthenticationCode2"], window)
    if step is None:
        raise _wrong()
    await attempts.succeeded(row["serial"])
    return step


@operation("DeactivateMFADevice", on=permissions.named(USER))
async def deactivate_mfa_device(ctx: Context, request: DeactivateMFADeviceRequestTypeDef) -> None:
    """Take a device from its user. Raises NoSuchEntity."""
    row = await _owned(ctx, request)
    await devices.disable(ctx, row["serial"])


@operation("DeleteVirtualMFADevice", on=on_device)
async def delete_virtual_mfa_device(ctx: Context, request: DeleteVirtualMFADeviceRequestTypeDef) -> None:
    """Delete a device that nobody has. Raises NoSuchEntity, DeleteConflict."""
    row = await _device(ctx, request["SerialNumber"])
    if row["owner_id"] is not None:
        raise DeleteConflict("MFA VirtualDevice in use. Must deactivate first.")
    await devices.delete(ctx, row["serial"])


@operation("GetMFADevice", on=permissions.named(USER))
async def get_mfa_device(ctx: Context, request: GetMFADeviceRequestTypeDef) -> dict[str, Any]:
    """An enabled device. Raises NoSuchEntity."""
    row = await _owned(ctx, request)
    shown = {"SerialNumber": row["serial"], "EnableDate": row["enabled_at"]}
    return {**shown, "UserName": row["user_name"]} if row["user_name"] else shown


@operation("ListMFADevices", on=permissions.named(USER))
async def list_mfa_devices(ctx: Context, request: ListMFADevicesRequestTypeDef) -> dict[str, Any]:
    """Enabled devices of a user. Raises NoSuchEntity."""
    if ctx.principal.is_root and not request.get("UserName"):
        owner, name = ctx.account_id, "root"
    else:
        user = await common.get(ctx, USER, common.name_or_own(ctx, request.get("UserName")))
        owner, name = user["id"], user["name"]
    after, limit = shapes.asked(request)
    rows = await devices.owned(ctx, owner, after, limit + 1)

    def show(row: Any) -> dict[str, Any]:
        return {"UserName": name, "SerialNumber": row["serial"], "EnableDate": row["enabled_at"]}

    return shapes.page("MFADevices", rows, limit, show, lambda row: str(row["serial"]))


@operation("ListVirtualMFADevices", on=ANY)
async def list_virtual_mfa_devices(ctx: Context, request: ListVirtualMFADevicesRequestTypeDef) -> dict[str, Any]:
    """Devices of the account, without their seeds."""
    if request.get("AssignmentStatus") not in (None, "Any", "Assigned", "Unassigned"):
        raise ValidationError("AssignmentStatus must be Assigned, Unassigned or Any.")
    assigned = {"Assigned": True, "Unassigned": False}.get(request.get("AssignmentStatus") or "Any")
    after, limit = shapes.asked(request)
    rows = await devices.page(ctx, assigned, after, limit + 1)
    return shapes.page("VirtualMFADevices", rows, limit, _shown, lambda row: str(row["serial"]))


def _shown(row: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"SerialNumber": row["serial"]}
    if row["enabled_at"]:
        shown["EnableDate"] = row["enabled_at"]
    if row["user_id"]:
        shown["User"] = {
            "Path": row["user_path"],
            "UserName": row["user_name"],
            "UserId": row["user_id"],
            "Arn": USER.arn(row["account_id"], row["user_path"], row["user_name"]),
            "CreateDate": row["user_created_at"],
        }
    elif row["owner_id"]:
        root = f"arn:aws:iam::{row['account_id']}:root"
        shown["User"] = {"Path": "/", "UserName": "root", "UserId": row["account_id"], "Arn": root}
        shown["User"]["CreateDate"] = row["created_at"]
    return shown


@operation("TagMFADevice", on=on_device)
async def tag_mfa_device(ctx: Context, request: Any) -> None:
    """Add tags. Raises NoSuchEntity, InvalidInput, LimitExceeded."""
    row = await _device(ctx, request["SerialNumber"])
    await devices.set_tags(ctx, row["serial"], common.merged(dict(row["tags"]), common.new_tags(request["Tags"])))


@operation("UntagMFADevice", on=on_device)
async def untag_mfa_device(ctx: Context, request: Any) -> None:
    """Remove tags. Raises NoSuchEntity."""
    row = await _device(ctx, request["SerialNumber"])
    await devices.set_tags(ctx, row["serial"], common.without(dict(row["tags"]), request["TagKeys"]))


@operation("ListMFADeviceTags", on=on_device)
async def list_mfa_device_tags(ctx: Context, request: Any) -> dict[str, Any]:
    """The tags of a device. Raises NoSuchEntity."""
    row = await devices.find(ctx, request["SerialNumber"])
    if row is None:
        raise NoSuchEntity(f"VirtualMFADevice with serial number {request['SerialNumber']} does not exist.")
    return shapes.tag_page(request, row["tags"])
