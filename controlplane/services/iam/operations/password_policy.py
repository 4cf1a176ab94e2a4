"""The account's password policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.access.passwords import DEFAULT_POLICY
from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.iam.errors import NoSuchEntity
from controlplane.services.iam.queries import passwords

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import UpdateAccountPasswordPolicyRequestTypeDef


@operation("UpdateAccountPasswordPolicy", on=ANY)
async def update_account_password_policy(ctx: Context, request: UpdateAccountPasswordPolicyRequestTypeDef) -> None:
    """Set the policy; what is not given goes back to its default."""
    await passwords.set_policy(ctx, {**DEFAULT_POLICY, **request})


@operation("GetAccountPasswordPolicy", on=ANY)
async def get_account_password_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """The policy. Raises NoSuchEntity."""
    policy = await _policy(ctx)
    return {"PasswordPolicy": {**policy, "ExpirePasswords": bool(policy.get("MaxPasswordAge"))}}


@operation("DeleteAccountPasswordPolicy", on=ANY)
async def delete_account_password_policy(ctx: Context, request: Any) -> None:
    """Go back to the rules of accounts without a policy. Raises NoSuchEntity."""
    await _policy(ctx)
    await passwords.set_policy(ctx, None)


async def _policy(ctx: Context) -> dict[str, Any]:
    policy: dict[str, Any] | None = (await passwords.account(ctx))["password_policy"]
    if policy is None:
        raise NoSuchEntity(f"The Password Policy with domain name {ctx.account_id} cannot be found.")
    return policy
