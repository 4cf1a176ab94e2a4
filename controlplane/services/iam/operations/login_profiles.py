"""Console passwords of users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.access import passwords as rules
from controlplane.access.attempts import TooManyAttempts
from controlplane.core.context import Context
from controlplane.core.operation import Resource, operation
from controlplane.services.iam import identities as common
from controlplane.services.iam import permissions
from controlplane.services.iam.errors import (
    AccessDenied,
    EntityAlreadyExists,
    EntityTemporarilyUnmodifiable,
    InvalidUserType,
    NoSuchEntity,
    PasswordPolicyViolation,
    ValidationError,
)
from controlplane.services.iam.nouns import USER
from controlplane.services.iam.queries import identities, passwords

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        ChangePasswordRequestTypeDef,
        CreateLoginProfileRequestTypeDef,
        DeleteLoginProfileRequestTypeDef,
        GetLoginProfileRequestTypeDef,
        UpdateLoginProfileRequestTypeDef,
    )


def _missing(name: str) -> NoSuchEntity:
    return NoSuchEntity(f"Login Profile for User {name} cannot be found.")


async def _check(ctx: Context, user: Any, password: str, row: Any = None) -> None:
    """Refuse a password that the account's policy does not allow. Raises PasswordPolicyViolation."""
    account = await passwords.account(ctx)
    policy = account["password_policy"]
    lacks = rules.shortcomings(password, policy, (user["name"], account["name"], account["alias"] or ""))
    if lacks:
        raise PasswordPolicyViolation("; ".join(lacks))
    kept = (policy or {}).get("PasswordReusePrevention") or 0
    if row is None or not kept:
        return
    for hash in [row["hash"], *row["earlier"]][:kept]:
        if await rules.matches(password, hash):
            raise PasswordPolicyViolation(
                "Password does not conform to the account password policy: it was used before"
            )


async def _replace(ctx: Context, row: Any, password: str, *, reset_required: bool) -> None:
    earlier = [row["hash"], *row["earlier"]][:24]
    await passwords.replace(ctx, row["user_id"], await rules.hashed(password), earlier, reset_required)


@operation("CreateLoginProfile", on=permissions.named(USER))
async def create_login_profile(ctx: Context, request: CreateLoginProfileRequestTypeDef) -> dict[str, Any]:
    """Give a user a password. Raises NoSuchEntity, EntityAlreadyExists, PasswordPolicyViolation."""
    user = await identities.lock(ctx, USER, common.name_or_own(ctx, request.get("UserName")))
    if await passwords.get(ctx, user["id"]):
        raise EntityAlreadyExists(f"Login Profile for user {user['name']} already exists.")
    if not request.get("Password"):
        raise ValidationError("Must specify Password when creating a login profile.")
    await _check(ctx, user, request["Password"])
    reset = bool(request.get("PasswordResetRequired"))
    created = await passwords.insert(ctx, user["id"], await rules.hashed(request["Password"]), reset)
    return {"LoginProfile": {"UserName": user["name"], "CreateDate": created, "PasswordResetRequired": reset}}


@operation("GetLoginProfile", on=permissions.named(USER))
async def get_login_profile(ctx: Context, request: GetLoginProfileRequestTypeDef) -> dict[str, Any]:
    """Whether and since when a user has a password. Raises NoSuchEntity."""
    user = await common.get(ctx, USER, common.name_or_own(ctx, request.get("UserName")))
    row = await passwords.get(ctx, user["id"])
    if row is None:
        raise _missing(user["name"])
    shown = {"UserName": user["name"], "CreateDate": row["created_at"], "PasswordResetRequired": row["reset_required"]}
    return {"LoginProfile": shown}


@operation("UpdateLoginProfile", on=permissions.named(USER))
async def update_login_profile(ctx: Context, request: UpdateLoginProfileRequestTypeDef) -> None:
    """Set another password, or that it must be changed. Raises NoSuchEntity, PasswordPolicyViolation."""
    user = await identities.lock(ctx, USER, request["UserName"])
    row = await passwords.get(ctx, user["id"])
    if row is None:
        raise _missing(user["name"])
    reset = bool(request.get("PasswordResetRequired", row["reset_required"]))
    if request.get("Password"):
        await _check(ctx, user, request["Password"], row)
        await _replace(ctx, row, request["Password"], reset_required=reset)
    else:
        await passwords.set_reset(ctx, user["id"], reset)


@operation("DeleteLoginProfile", on=permissions.named(USER))
async def delete_login_profile(ctx: Context, request: DeleteLoginProfileRequestTypeDef) -> None:
    """Take a user's password away. Raises NoSuchEntity."""
    user = await identities.lock(ctx, USER, common.name_or_own(ctx, request.get("UserName")))
    if not await passwords.delete(ctx, user["id"]):
        raise _missing(user["name"])


async def on_own_password(ctx: Context, request: Any) -> list[Resource]:
    """The caller. A password policy with AllowUsersToChangePassword grants this as a resource policy would."""
    if ctx.principal.kind != "user":
        return [Resource(USER.arn(ctx.account_id, "/", ""))]
    resource = await permissions.of(ctx, USER, ctx.principal.name)
    policy = (await passwords.account(ctx))["password_policy"]
    if not (policy or {}).get("AllowUsersToChangePassword"):
        return [resource]
    grant = {
        "Effect": "Allow",
        "Principal": {"AWS": ctx.principal.arn},
        "Action": "iam:ChangePassword",
        "Resource": "*",
    }
    document = {"Version": "2012-10-17", "Statement": [grant]}
    return [Resource(resource.arn, resource.tags, document, resource.conditions, resource.row)]


@operation("ChangePassword", on=on_own_password)
async def change_password(ctx: Context, request: ChangePasswordRequestTypeDef) -> None:
    """Change one's own password. Raises InvalidUserType, AccessDenied, PasswordPolicyViolation."""
    if ctx.principal.kind != "user":
        raise InvalidUserType("Only IAM Users can change their own password.")
    user = await identities.lock(ctx, USER, ctx.principal.name)
    row = await passwords.get(ctx, user["id"])
    if row is None:
        raise _missing(user["name"])
    attempts, target = ctx.engine("attempts"), f"password:{user['id']}"
    try:
        await attempts.begin(target)
    except TooManyAttempts as error:
        raise EntityTemporarilyUnmodifiable("Too many wrong passwords; please try again later.") from error
    if not await rules.matches(request["OldPassword"], row["hash"]):
        raise AccessDenied("The old password was incorrect.")
    await attempts.succeeded(target)
    await _check(ctx, user, request["NewPassword"], row)
    await _replace(ctx, row, request["NewPassword"], reset_required=False)
