"""Service-linked roles: made for a service, changed by nobody."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from controlplane.access.managed_policies import SERVICE_LINKED_PATH, service_linked_role
from controlplane.access.principals import announce
from controlplane.core.context import Context
from controlplane.core.ids import principal_id
from controlplane.core.operation import Resource, operation
from controlplane.services.iam import permissions, shapes
from controlplane.services.iam.errors import InvalidInput, NoSuchEntity
from controlplane.services.iam.nouns import ROLE
from controlplane.services.iam.queries import identities, policies, reports

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreateServiceLinkedRoleRequestTypeDef,
        DeleteServiceLinkedRoleRequestTypeDef,
        GetServiceLinkedRoleDeletionStatusRequestTypeDef,
    )

KIND = "deletion"
_SECONDS = 3600
# Services that may have several roles, told apart by a suffix.
_WITH_SUFFIX = frozenset({"autoscaling.amazonaws.com", "connect.amazonaws.com", "lexv2.amazonaws.com"})


async def on_new(ctx: Context, request: Any) -> list[Resource]:
    """The role to be, with the service that it is for."""
    service = request.get("AWSServiceName") or ""
    found = service_linked_role(service)
    name = found.role if found else ""
    if request.get("CustomSuffix"):
        name += f"_{request['CustomSuffix']}"
    arn = ROLE.arn(ctx.account_id, f"{SERVICE_LINKED_PATH}{service}/", name)
    return [Resource(arn, conditions={"iam:AWSServiceName": service})]


@operation("CreateServiceLinkedRole", on=on_new)
async def create_service_linked_role(ctx: Context, request: CreateServiceLinkedRoleRequestTypeDef) -> dict[str, Any]:
    """Make a service's role with its policy. Raises InvalidInput, NoSuchEntity."""
    service, suffix = request["AWSServiceName"], request.get("CustomSuffix")
    known = service_linked_role(service)
    if known is None:
        raise InvalidInput(f"Service {service} does not have a service-linked role.")
    if suffix and service not in _WITH_SUFFIX:
        raise InvalidInput(f"Custom suffix is not allowed for {service}")
    name = f"{known.role}_{suffix}" if suffix else known.role
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    row = await identities.insert(
        ctx,
        principal_id(ROLE.prefix),
        ctx.account_id,
        ROLE.kind,
        name,
        f"{SERVICE_LINKED_PATH}{service}/",
        None,
        {},
        json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        request.get("Description"),
        _SECONDS,
    )
    if row is None:
        raise InvalidInput(f"Service role name {name} has been taken in this account, please try a different suffix.")
    await policies.attach(ctx, row["id"], known.policy_arn)
    await announce(ctx.db, ctx.account_id)
    shown = shapes.role(row)
    del shown["RoleLastUsed"], shown["MaxSessionDuration"]
    return {"Role": shown}


@operation("DeleteServiceLinkedRole", on=permissions.named(ROLE))
async def delete_service_linked_role(ctx: Context, request: DeleteServiceLinkedRoleRequestTypeDef) -> dict[str, Any]:
    """Delete a service's role. None of this cloud's services keeps using one, so it is gone at once.

    Raises NoSuchEntity, InvalidInput.
    """
    row = await identities.lock(ctx, ROLE, request["RoleName"])
    if not row["path"].startswith(SERVICE_LINKED_PATH):
        raise InvalidInput(f"The role {row['name']} is not a service-linked role.")
    for attached in await policies.attached(ctx, row["id"], "/", None, 100):
        await policies.detach(ctx, row["id"], attached["arn"])
    await identities.delete(ctx, row["id"])
    await announce(ctx.db, ctx.account_id)
    id = f"task{row['path']}{row['name']}/{uuid.uuid4()}"
    await reports.insert(ctx, id, KIND, {"status": "SUCCEEDED"})
    return {"DeletionTaskId": id}


async def on_task(ctx: Context, request: Any) -> list[Resource]:
    """The role that a deletion was asked for."""
    path = (request.get("DeletionTaskId") or "").removeprefix("task").rpartition("/")[0]
    return [Resource(f"arn:aws:iam::{ctx.account_id}:role{path or '/'}")]


@operation("GetServiceLinkedRoleDeletionStatus", on=on_task)
async def get_service_linked_role_deletion_status(
    ctx: Context, request: GetServiceLinkedRoleDeletionStatusRequestTypeDef
) -> dict[str, Any]:
    """How far a deletion is. Raises NoSuchEntity."""
    row = await reports.find(ctx, KIND, request["DeletionTaskId"])
    if row is None:
        raise NoSuchEntity(f"Deletion task {request['DeletionTaskId']} was not found.")
    return {"Status": row["content"]["status"]}
