"""Tags of budgets and their actions."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import Resource, operation
from controlplane.core.tags import to_list
from controlplane.services.budgets import queries, tags
from controlplane.services.budgets.errors import NotFoundException

_BUDGET = "UPDATE budgets_budgets SET tags = $3 WHERE account_id = $1 AND name = $2"
_ACTION = "UPDATE budgets_actions SET tags = $3 WHERE account_id = $1 AND id = $2"
_PREFIX = "arn:aws:budgets::"


async def on_arn(ctx: Context, request: Any) -> list[Resource]:
    """The budget or action whose ARN a request gives."""
    arn = str(request["ResourceARN"])
    account, _, rest = arn.removeprefix(_PREFIX).partition(":budget/")
    name, _, action = rest.partition("/action/")
    row = None
    if arn.startswith(_PREFIX) and action:
        row = await queries.action(ctx.db, account, name, action)
    elif arn.startswith(_PREFIX):
        row = await queries.find(ctx.db, account, name)
    return [Resource(arn, row["tags"] if row is not None else {}, row=row)]


def _existing(ctx: Context) -> Any:
    row = ctx.resources[0].row
    if row is None:
        raise NotFoundException(f"The resource {ctx.resources[0].arn} doesn't exist.")
    return row


async def _keep(ctx: Context, row: Any, kept: dict[str, str]) -> None:
    statement, key = (_ACTION, row["id"]) if "budget" in row else (_BUDGET, row["name"])
    await ctx.db.execute(statement, row["account_id"], key, kept)


@operation("TagResource", on=on_arn)
async def tag_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, ServiceQuotaExceededException."""
    row = _existing(ctx)
    await _keep(ctx, row, tags.checked(request["ResourceTags"], row["tags"]))
    return {}


@operation("UntagResource", on=on_arn)
async def untag_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = _existing(ctx)
    await _keep(ctx, row, {key: value for key, value in row["tags"].items() if key not in request["ResourceTagKeys"]})
    return {}


@operation("ListTagsForResource", on=on_arn)
async def list_tags_for_resource(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    return {"ResourceTags": to_list(_existing(ctx)["tags"])}
