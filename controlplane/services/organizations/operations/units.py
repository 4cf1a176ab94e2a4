"""Organizational units, and who is whose parent."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import operation
from controlplane.services.organizations import nouns, shapes, standing, tagging
from controlplane.services.organizations.errors import (
    ChildNotFoundException,
    ConstraintViolationException,
    DuplicateOrganizationalUnitException,
    OrganizationalUnitNotEmptyException,
    OrganizationalUnitNotFoundException,
    ParentNotFoundException,
)
from controlplane.services.organizations.queries import policies, tree

MAX_UNITS = 2000
MAX_DEPTH = 5

_INSERT = """
INSERT INTO organizations_units (id, organization_id, parent_id, name) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
_RENAME = "UPDATE organizations_units SET name = $2 WHERE id = $1"
_NAMESAKE = "SELECT true FROM organizations_units WHERE parent_id = $1 AND name = $2 AND id <> $3"


@operation("CreateOrganizationalUnit", on=standing.on("ParentId"))
async def create_organizational_unit(ctx: Context, request: Any) -> dict[str, Any]:
    """Make a unit. Raises ParentNotFound, DuplicateOrganizationalUnit, ConstraintViolation."""
    organization, parent = await standing.governed(ctx), request["ParentId"]
    units = await tree.units(ctx.db, organization["id"])
    _check_parent(organization, units, parent)
    if len(units) >= MAX_UNITS:
        raise ConstraintViolationException("OU_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of OUs.")
    path = tree.path_of(organization, units, parent)
    if path.count("/") - 2 >= MAX_DEPTH:
        raise ConstraintViolationException("OU_DEPTH_LIMIT_EXCEEDED", "You exceeded the OU depth limit.")
    tags = tagging.requested(request)
    id = nouns.new_unit(organization["root_id"])
    if not await ctx.db.fetchval(_INSERT, id, organization["id"], parent, request["Name"]):
        raise DuplicateOrganizationalUnitException
    for type, default in nouns.DEFAULTS.items():
        if type in organization["policy_types"]:
            await policies.attach(ctx.db, organization["id"], id, default, type)
    await tree.put_tags(ctx.db, organization["id"], id, tags)
    return {"OrganizationalUnit": shapes.unit({"id": id, "name": request["Name"]}, f"{path}{id}/", organization)}


def _check_parent(organization: Any, units: dict[str, Any], id: str) -> None:
    if id != organization["root_id"] and id not in units:
        raise ParentNotFoundException


async def _unit(ctx: Context, organization: Any, id: str) -> tuple[Any, str]:
    """A unit and its path. Raises OrganizationalUnitNotFound."""
    units = await tree.units(ctx.db, organization["id"])
    if id not in units:
        raise OrganizationalUnitNotFoundException
    return units[id], tree.path_of(organization, units, id)


@operation("DescribeOrganizationalUnit", on=standing.on("OrganizationalUnitId", reading=True))
async def describe_organizational_unit(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises OrganizationalUnitNotFound."""
    organization = standing.readable(ctx)
    return {
        "OrganizationalUnit": shapes.unit(
            *await _unit(ctx, organization, request["OrganizationalUnitId"]), organization
        )
    }


@operation("UpdateOrganizationalUnit", on=standing.on("OrganizationalUnitId"))
async def update_organizational_unit(ctx: Context, request: Any) -> dict[str, Any]:
    """Rename a unit. Raises OrganizationalUnitNotFound, DuplicateOrganizationalUnit."""
    organization = await standing.governed(ctx)
    row, path = await _unit(ctx, organization, request["OrganizationalUnitId"])
    name = request.get("Name") or row["name"]
    if await ctx.db.fetchval(_NAMESAKE, row["parent_id"], name, row["id"]):
        raise DuplicateOrganizationalUnitException
    await ctx.db.execute(_RENAME, row["id"], name)
    return {"OrganizationalUnit": shapes.unit({**row, "name": name}, path, organization)}


@operation("DeleteOrganizationalUnit", on=standing.on("OrganizationalUnitId"))
async def delete_organizational_unit(ctx: Context, request: Any) -> None:
    """Delete an empty unit. Raises OrganizationalUnitNotFound, OrganizationalUnitNotEmpty."""
    organization = await standing.governed(ctx)
    row, _ = await _unit(ctx, organization, request["OrganizationalUnitId"])
    units = await tree.units(ctx.db, organization["id"])
    members = await tree.members(ctx.db, organization["id"])
    if any(other["parent_id"] == row["id"] for other in (*units.values(), *members)):
        raise OrganizationalUnitNotEmptyException
    await ctx.db.execute("DELETE FROM organizations_units WHERE id = $1", row["id"])
    await tree.forget_resource(ctx.db, organization["id"], row["id"])


@operation("ListOrganizationalUnitsForParent", on=standing.on("ParentId", reading=True))
async def list_organizational_units_for_parent(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ParentNotFound."""
    organization = standing.readable(ctx)
    units = await tree.units(ctx.db, organization["id"])
    _check_parent(organization, units, request["ParentId"])
    rows = [row for row in units.values() if row["parent_id"] == request["ParentId"]]

    def show(row: Any) -> dict[str, Any]:
        return shapes.unit(row, tree.path_of(organization, units, row["id"]), organization)

    return shapes.page(request, "OrganizationalUnits", rows, lambda row: str(row["id"]), show)


@operation("ListChildren", on=standing.on("ParentId", reading=True))
async def list_children(ctx: Context, request: Any) -> dict[str, Any]:
    """Accounts or units right below a parent. Raises ParentNotFound."""
    organization, type = standing.readable(ctx), request["ChildType"]
    units = await tree.units(ctx.db, organization["id"])
    _check_parent(organization, units, request["ParentId"])
    rows = units.values() if type == "ORGANIZATIONAL_UNIT" else await tree.members(ctx.db, organization["id"])
    ids = [str(row["id"]) for row in rows if row["parent_id"] == request["ParentId"]]
    return shapes.page(request, "Children", ids, str, lambda id: {"Id": id, "Type": type})


@operation("ListParents", on=standing.on("ChildId", reading=True))
async def list_parents(ctx: Context, request: Any) -> dict[str, Any]:
    """The one parent of an account or a unit. Raises ChildNotFound."""
    organization, id = standing.readable(ctx), request["ChildId"]
    row = (await tree.units(ctx.db, organization["id"])).get(id) or await tree.member(ctx.db, organization["id"], id)
    if row is None:
        raise ChildNotFoundException
    return {"Parents": [{"Id": row["parent_id"], "Type": nouns.target_kind(row["parent_id"])}]}
