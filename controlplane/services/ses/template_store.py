"""Templates as they are kept, for both versions of the API: `SubjectPart`, `TextPart`, `HtmlPart`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.services.ses import mailing, templates
from controlplane.services.ses.errors import AlreadyExists, InvalidTemplate, TemplateDoesNotExist

PARTS = ("SubjectPart", "TextPart", "HtmlPart")
_GET = "SELECT content FROM ses_templates WHERE account_id = $1 AND region = $2 AND name = $3"
_INSERT = """
INSERT INTO ses_templates (account_id, region, name, content) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
RETURNING true
"""
_UPDATE = "UPDATE ses_templates SET content = $4 WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING true"
_DELETE = "DELETE FROM ses_templates WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING true"
_PAGE = """
SELECT name, created_at FROM ses_templates WHERE account_id = $1 AND region = $2 AND ($3::text IS NULL OR name > $3)
ORDER BY name LIMIT $4
"""


def content(name: str, given: Mapping[str, Any]) -> dict[str, str]:
    """What is kept of a template. Raises InvalidTemplate."""
    if not name:
        raise InvalidTemplate("The template name must be specified.")
    if not given.get("SubjectPart"):
        raise InvalidTemplate("The subject must be specified.")
    return {part: given[part] for part in PARTS if given.get(part) is not None}


async def read(ctx: Context, name: str) -> dict[str, str]:
    """The parts of a template. Raises TemplateDoesNotExist."""
    row = await ctx.db.cached_row(_GET, ctx.account_id, ctx.region, name)
    if row is None:
        raise TemplateDoesNotExist(name)
    found: dict[str, str] = row["content"]
    return found


async def create(ctx: Context, name: str, parts: Mapping[str, str]) -> None:
    """Raises AlreadyExists."""
    if not await ctx.db.fetchval(_INSERT, ctx.account_id, ctx.region, name, dict(parts)):
        raise AlreadyExists(f"Template {name} already exists.")


async def update(ctx: Context, name: str, parts: Mapping[str, str]) -> None:
    """Raises TemplateDoesNotExist."""
    if not await ctx.db.fetchval(_UPDATE, ctx.account_id, ctx.region, name, dict(parts)):
        raise TemplateDoesNotExist(name)


async def delete(ctx: Context, name: str) -> bool:
    return bool(await ctx.db.fetchval(_DELETE, ctx.account_id, ctx.region, name))


async def page(ctx: Context, after: str | None, most: int) -> list[Any]:
    """By name."""
    return await ctx.db.fetch(_PAGE, ctx.account_id, ctx.region, after, most)


def filled(parts: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
    """The parts with values in them. Raises MissingRenderingAttribute."""
    return {part: templates.render(text, values, markup=part == "HtmlPart") for part, text in parts.items()}


def tried(parts: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """The mail that a template makes of some values. Raises MissingRenderingAttribute."""
    made = filled(parts, values)
    mail = mailing.compose(
        "sender@example.com",
        {},
        made.get("SubjectPart", ""),
        text=made.get("TextPart"),
        html=made.get("HtmlPart"),
    )
    return mail.as_string()
