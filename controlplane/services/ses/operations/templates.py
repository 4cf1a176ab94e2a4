"""Templates: made, told, changed, listed, deleted, tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.ses import mailing, templates
from controlplane.services.ses.errors import (
    AlreadyExists,
    InvalidParameterValue,
    InvalidTemplate,
    TemplateDoesNotExist,
)

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
_PARTS = ("SubjectPart", "TextPart", "HtmlPart")
_GET = "SELECT content FROM ses_templates WHERE account_id = $1 AND region = $2 AND name = $3"
_INSERT = """
INSERT INTO ses_templates (account_id, region, name, content) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
RETURNING true
"""
_UPDATE = "UPDATE ses_templates SET content = $4 WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING true"
_DELETE = "DELETE FROM ses_templates WHERE account_id = $1 AND region = $2 AND name = $3"
_PAGE = """
SELECT name, created_at FROM ses_templates WHERE account_id = $1 AND region = $2 AND ($3::text IS NULL OR name > $3)
ORDER BY name LIMIT $4
"""


async def content_of(ctx: Context, name: str) -> dict[str, str]:
    """The parts of a template. Raises TemplateDoesNotExist."""
    row = await ctx.db.cached_row(_GET, ctx.account_id, ctx.region, name)
    if row is None:
        raise TemplateDoesNotExist(name)
    found: dict[str, str] = row["content"]
    return found


def _content(template: Any) -> tuple[str, dict[str, str]]:
    name = template["TemplateName"]
    if not name:
        raise InvalidTemplate("The template name must be specified.")
    if not template.get("SubjectPart"):
        raise InvalidTemplate("The subject must be specified.")
    return name, {part: template[part] for part in _PARTS if template.get(part) is not None}


@operation("CreateTemplate", on=ANY)
async def create_template(ctx: Context, request: CreateTemplateRequestTypeDef) -> dict[str, Any]:
    """Keep a template. Raises AlreadyExists, InvalidTemplate."""
    name, content = _content(request["Template"])
    if not await ctx.db.fetchval(_INSERT, ctx.account_id, ctx.region, name, content):
        raise AlreadyExists(f"Template {name} already exists.")
    return {}


@operation("UpdateTemplate", on=ANY)
async def update_template(ctx: Context, request: UpdateTemplateRequestTypeDef) -> dict[str, Any]:
    """Change a template. Raises TemplateDoesNotExist."""
    name, content = _content(request["Template"])
    if not await ctx.db.fetchval(_UPDATE, ctx.account_id, ctx.region, name, content):
        raise TemplateDoesNotExist(name)
    return {}


@operation("GetTemplate", on=ANY)
async def get_template(ctx: Context, request: GetTemplateRequestTypeDef) -> dict[str, Any]:
    """A template. Raises TemplateDoesNotExist."""
    content = await content_of(ctx, request["TemplateName"])
    return {"Template": {"TemplateName": request["TemplateName"], **content}}


@operation("DeleteTemplate", on=ANY)
async def delete_template(ctx: Context, request: DeleteTemplateRequestTypeDef) -> dict[str, Any]:
    """Delete a template; one that is not there is no error."""
    await ctx.db.execute(_DELETE, ctx.account_id, ctx.region, request["TemplateName"])
    return {}


@operation("ListTemplates", on=ANY)
async def list_templates(ctx: Context, request: ListTemplatesRequestTypeDef) -> dict[str, Any]:
    """The caller's templates by name."""
    size = min(max(request.get("MaxItems") or _MOST, 1), _MOST)
    token, after = request.get("NextToken"), None
    if token:
        try:
            after = str(decode_token(token))
        except ValueError as error:
            raise InvalidParameterValue("Invalid NextToken") from error
    rows = await ctx.db.fetch(_PAGE, ctx.account_id, ctx.region, after, size + 1)
    told = [{"Name": row["name"], "CreatedTimestamp": row["created_at"]} for row in rows[:size]]
    more = {"NextToken": encode_token(rows[size - 1]["name"])} if len(rows) > size else {}
    return {"TemplatesMetadata": told, **more}


@operation("TestRenderTemplate", on=ANY)
async def test_render_template(ctx: Context, request: TestRenderTemplateRequestTypeDef) -> dict[str, Any]:
    """The mail that a template makes of some data. Raises MissingRenderingAttribute."""
    content, values = await content_of(ctx, request["TemplateName"]), templates.data(request["TemplateData"])
    filled = {part: templates.render(text, values, markup=part == "HtmlPart") for part, text in content.items()}
    mail = mailing.compose(
        "sender@example.com",
        {},
        filled.get("SubjectPart", ""),
        text=filled.get("TextPart"),
        html=filled.get("HtmlPart"),
    )
    return {"RenderedTemplate": mail.as_string()}
