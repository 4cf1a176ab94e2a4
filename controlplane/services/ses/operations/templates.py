"""Templates: made, told, changed, listed, deleted, tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.core.paging import encode_token
from controlplane.services.ses import template_store, templates
from controlplane.services.ses.paging import after

if TYPE_CHECKING:
    from types_boto3_ses.type_defs import (
        CreateTemplateRequestTypeDef,
        DeleteTemplateRequestTypeDef,
        GetTemplateRequestTypeDef,
        ListTemplatesRequestTypeDef,
        TestRenderTemplateRequestTypeDef,
        UpdateTemplateRequestTypeDef,
    )

_MOST = 100


@operation("CreateTemplate", on=ANY)
async def create_template(ctx: Context, request: CreateTemplateRequestTypeDef) -> dict[str, Any]:
    """Keep a template. Raises AlreadyExists, InvalidTemplate."""
    name = request["Template"]["TemplateName"]
    await template_store.create(ctx, name, template_store.content(name, request["Template"]))
    return {}


@operation("UpdateTemplate", on=ANY)
async def update_template(ctx: Context, request: UpdateTemplateRequestTypeDef) -> dict[str, Any]:
    """Change a template. Raises TemplateDoesNotExist."""
    name = request["Template"]["TemplateName"]
    await template_store.update(ctx, name, template_store.content(name, request["Template"]))
    return {}


@operation("GetTemplate", on=ANY)
async def get_template(ctx: Context, request: GetTemplateRequestTypeDef) -> dict[str, Any]:
    """A template. Raises TemplateDoesNotExist."""
    name = request["TemplateName"]
    return {"Template": {"TemplateName": name, **await template_store.read(ctx, name)}}


@operation("DeleteTemplate", on=ANY)
async def delete_template(ctx: Context, request: DeleteTemplateRequestTypeDef) -> dict[str, Any]:
    """Delete a template; one that is not there is no error."""
    await template_store.delete(ctx, request["TemplateName"])
    return {}


@operation("ListTemplates", on=ANY)
async def list_templates(ctx: Context, request: ListTemplatesRequestTypeDef) -> dict[str, Any]:
    """The caller's templates by name."""
    size = min(max(request.get("MaxItems") or _MOST, 1), _MOST)
    rows = await template_store.page(ctx, after(request), size + 1)
    told = [{"Name": row["name"], "CreatedTimestamp": row["created_at"]} for row in rows[:size]]
    more = {"NextToken": encode_token(rows[size - 1]["name"])} if len(rows) > size else {}
    return {"TemplatesMetadata": told, **more}


@operation("TestRenderTemplate", on=ANY)
async def test_render_template(ctx: Context, request: TestRenderTemplateRequestTypeDef) -> dict[str, Any]:
    """The mail that a template makes of some data. Raises MissingRenderingAttribute."""
    parts = await template_store.read(ctx, request["TemplateName"])
    return {"RenderedTemplate": template_store.tried(parts, templates.data(request["TemplateData"]))}
