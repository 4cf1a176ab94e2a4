"""The key of KMS under which a group's events are kept."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import NotImplementedByCelaje
from controlplane.core.operation import operation
from controlplane.services.logs import groups, keys
from controlplane.services.logs.errors import InvalidParameterException

_SET = "UPDATE logs_groups SET key_arn = $2 WHERE id = $1"
_on_group = groups.on_group("resourceIdentifier")


async def _group(ctx: Context, request: Any) -> Any:
    """The row of the group that a request names. Raises InvalidParameterException, ResourceNotFoundException."""
    name, identifier = request.get("logGroupName"), request.get("resourceIdentifier")
    if bool(name) == bool(identifier):
        raise InvalidParameterException("Either logGroupName or resourceIdentifier must be given.")
    if identifier and ":query-result:" in identifier:
        raise NotImplementedByCelaje("Results of queries are not built.")
    return await groups.locked(ctx, groups.the_group(ctx)["name"])


@operation("AssociateKmsKey", on=_on_group)
async def associate_kms_key(ctx: Context, request: Any) -> None:
    """Keep what comes from now on under a key. Raises ResourceNotFoundException, InvalidParameterException,
    AccessDeniedException."""
    row = await _group(ctx, request)
    await ctx.db.execute(_SET, row["id"], await keys.checked(ctx, row["name"], request["kmsKeyId"]))


@operation("DisassociateKmsKey", on=_on_group)
async def disassociate_kms_key(ctx: Context, request: Any) -> None:
    """Keep what comes from now on as groups without a key do; what is there stays under its key. Raises
    ResourceNotFoundException, InvalidParameterException."""
    await ctx.db.execute(_SET, (await _group(ctx, request))["id"], None)
