"""Access keys of users and of root. A secret is told once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.access import keys as making
from controlplane.access.principals import SECRET, announce
from controlplane.core.context import Context
from controlplane.core.operation import Resource, operation
from controlplane.services.iam import permissions, shapes
from controlplane.services.iam.errors import AccessDenied, LimitExceeded, NoSuchEntity
from controlplane.services.iam.identities import name_or_own
from controlplane.services.iam.nouns import USER
from controlplane.services.iam.queries import identities, keys

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreateAccessKeyRequestTypeDef,
        DeleteAccessKeyRequestTypeDef,
        GetAccessKeyLastUsedRequestTypeDef,
        ListAccessKeysRequestTypeDef,
        UpdateAccessKeyRequestTypeDef,
    )

MAX_KEYS = 2


async def _owner(ctx: Context, name: str | None, *, lock: bool) -> tuple[str | None, str]:
    """Id and name of the user whose keys are meant; (None, "") for root itself. Raises NoSuchEntity."""
    if name is None and ctx.principal.is_root:
        if lock:
            await keys.lock_account(ctx)
        return None, ""
    wanted = name_or_own(ctx, name)
    if lock:
        row = await identities.lock(ctx, USER, wanted)
    else:
        row = await identities.find(ctx, USER, wanted)
        if row is None:
            raise USER.missing(wanted)
    return row["id"], row["name"]


@operation("CreateAccessKey", on=permissions.named(USER))
async def create_access_key(ctx: Context, request: CreateAccessKeyRequestTypeDef) -> dict[str, Any]:
    """Make a key. Raises NoSuchEntity, LimitExceeded."""
    user_id, name = await _owner(ctx, request.get("UserName"), lock=True)
    if await keys.count(ctx, user_id) >= MAX_KEYS:
        raise LimitExceeded(f"Cannot exceed quota for AccessKeysPerUser: {MAX_KEYS}")
    id, secret = making.new_id(making.LONG_TERM, ctx.account_id), making.new_secret()
    created = await keys.insert(ctx, id, user_id, ctx.engine("sealing").seal(SECRET, secret.encode(), id))
    await announce(ctx.db, ctx.account_id)
    made = {"AccessKeyId": id, "Status": "Active", "SecretAccessKey": secret, "CreateDate": created}
    return {"AccessKey": {"UserName": name, **made}}


@operation("ListAccessKeys", on=permissions.named(USER))
async def list_access_keys(ctx: Context, request: ListAccessKeysRequestTypeDef) -> dict[str, Any]:
    """Keys without their secrets. Raises NoSuchEntity."""
    user_id, name = await _owner(ctx, request.get("UserName"), lock=False)
    after, limit = shapes.asked(request)
    rows = await keys.page(ctx, user_id, after, limit + 1)

    def show(row: Any) -> dict[str, Any]:
        shown = {"AccessKeyId": row["id"], "Status": row["status"], "CreateDate": row["created_at"]}
        return {"UserName": name, **shown} if name else shown

    return shapes.page("AccessKeyMetadata", rows, limit, show, lambda row: str(row["id"]))


@operation("UpdateAccessKey", on=permissions.named(USER))
async def update_access_key(ctx: Context, request: UpdateAccessKeyRequestTypeDef) -> None:
    """Make a key active or inactive. Raises NoSuchEntity."""
    user_id, _ = await _owner(ctx, request.get("UserName"), lock=True)
    if not await keys.set_status(ctx, user_id, request["AccessKeyId"], request["Status"]):
        raise _missing(request["AccessKeyId"])
    await announce(ctx.db, ctx.account_id)


@operation("DeleteAccessKey", on=permissions.named(USER))
async def delete_access_key(ctx: Context, request: DeleteAccessKeyRequestTypeDef) -> None:
    """Delete a key. Raises NoSuchEntity."""
    user_id, _ = await _owner(ctx, request.get("UserName"), lock=True)
    if not await keys.delete(ctx, user_id, request["AccessKeyId"]):
        raise _missing(request["AccessKeyId"])
    await announce(ctx.db, ctx.account_id)


def _missing(id: str) -> NoSuchEntity:
    return NoSuchEntity(f"The Access Key with id {id} cannot be found.")


async def _user_of_key(ctx: Context, request: Any) -> list[Resource]:
    row = await keys.last_used(ctx, request.get("AccessKeyId") or "")
    if row is None or row["name"] is None:
        return [Resource(USER.arn(ctx.account_id, "/", ""))]
    return [Resource(USER.arn(ctx.account_id, row["path"], row["name"]), dict(row["tags"]))]


@operation("GetAccessKeyLastUsed", on=_user_of_key)
async def get_access_key_last_used(ctx: Context, request: GetAccessKeyLastUsedRequestTypeDef) -> dict[str, Any]:
    """When a key of this account was last used. Raises AccessDenied for keys of others, as AWS does."""
    row = await keys.last_used(ctx, request["AccessKeyId"])
    if row is None:
        raise AccessDenied(
            f"User: {ctx.principal.arn} is not authorized to perform iam:GetAccessKeyLastUsed on resource: "
            f"access key {request['AccessKeyId']}"
        )
    used: dict[str, Any] = {"ServiceName": "N/A", "Region": "N/A"}
    if row["last_used_at"]:
        used = {
            "LastUsedDate": row["last_used_at"],
            "ServiceName": row["last_used_service"],
            "Region": row["last_used_region"],
        }
    return {"UserName": row["name"] or "", "AccessKeyLastUsed": used}
