"""Templates: made, told, changed, listed, deleted, tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY
from controlplane.services.ses import template_store, templates
from controlplane.services.ses.paging import after
from controlplane.services.sesv2.declaring import operation
from controlplane.services.sesv2.errors import NotFoundException
from controlplane.services.sesv2.paging import more, size

_MOST = 100
_PARTS = {"Subject": "SubjectPart", "Text": "TextPart", "Html": "HtmlPart"}


def _kept(name: str, given: Mapping[str, Any]) -> dict[str, str]:
    return template_store.content(name, {old: given.get(new) for new, old in _PARTS.items()})


@operation("CreateEmailTemplate", on=ANY)
async def create_email_template(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises AlreadyExistsException, BadRequestException."""
    name = request["TemplateName"]
    await template_store.create(ctx, name, _kept(name, request["TemplateContent"]))
    return {}


@operation("UpdateEmailTemplate", on=ANY)
async def update_email_template(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, BadRequestException."""
    name = request["TemplateName"]
    await template_store.update(ctx, name, _kept(name, request["TemplateContent"]))
    return {}


@operation("GetEmailTemplate", on=ANY)
async def get_email_template(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    parts = await template_store.read(ctx, request["TemplateName"])
    told = {new: parts[old] for new, old in _PARTS.items() if old in parts}
    return {"TemplateName": request["TemplateName"], "TemplateContent": told}


@operation("DeleteEmailTemplate", on=ANY)
async def delete_email_template(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    if not await template_store.delete(ctx, request["TemplateName"]):
        raise NotFoundException(f"Template {request['TemplateName'][:64]} does not exist.")
    return {}


@operation("ListEmailTemplates", on=ANY)
async def list_email_templates(ctx: Context, request: Any) -> dict[str, Any]:
    """By name."""
    most = size(request, _MOST)
    rows = await template_store.page(ctx, after(request), most + 1)
    told = [{"TemplateName": row["name"], "CreatedTimestamp": row["created_at"]} for row in rows[:most]]
    return {"TemplatesMetadata": told, **more(rows, most, lambda row: str(row["name"]))}


@operation("TestRenderEmailTemplate", on=ANY)
async def test_render_email_template(ctx: Context, request: Any) -> dict[str, Any]:
    """The mail that a template makes of some data. Raises NotFoundException, BadRequestException."""
    parts = await template_store.read(ctx, request["TemplateName"])
    return {"RenderedTemplate": template_store.tried(parts, templates.data(request["TemplateData"]))}
