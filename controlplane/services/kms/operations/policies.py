"""Key policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.kms import keys, permissions, policies
from controlplane.services.kms.errors import NotFoundException, UnsupportedOperationException
from controlplane.services.kms.queries import keys as queries

if TYPE_CHECKING:
    from types_boto3_kms.type_defs import (
        GetKeyPolicyRequestTypeDef,
        ListKeyPoliciesRequestTypeDef,
        PutKeyPolicyRequestTypeDef,
    )


@operation("PutKeyPolicy", on=permissions.on_key())
async def put_key_policy(ctx: Context, request: PutKeyPolicyRequestTypeDef) -> None:
    """Replace a key's policy. Raises MalformedPolicyDocumentException, LimitExceededException."""
    key = await keys.fresh(ctx, permissions.key_of(ctx))
    if request.get("PolicyName", policies.NAME) != policies.NAME:
        raise UnsupportedOperationException("The only valid policy name is default.")
    bypass = bool(request.get("BypassPolicyLockoutSafetyCheck"))
    policy = await policies.check(ctx, request["Policy"], key.arn, bypass=bypass)
    await queries.set_column(ctx.db, key.id, key.region, "policy", policy)


@operation("GetKeyPolicy", on=permissions.on_key())
async def get_key_policy(ctx: Context, request: GetKeyPolicyRequestTypeDef) -> dict[str, Any]:
    """A key's policy. Raises NotFoundException."""
    if request.get("PolicyName", policies.NAME) != policies.NAME:
        raise NotFoundException("No such policy exists")
    return {"Policy": await policies.shown(ctx, permissions.key_of(ctx).policy), "PolicyName": policies.NAME}


@operation("ListKeyPolicies", on=permissions.on_key())
async def list_key_policies(ctx: Context, request: ListKeyPoliciesRequestTypeDef) -> dict[str, Any]:
    """The names of a key's policies: there is one. Raises NotFoundException."""
    permissions.key_of(ctx)
    return {"PolicyNames": [policies.NAME], "Truncated": False}
