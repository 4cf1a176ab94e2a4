"""Templates: `{{name}}`, and what is missing is an error."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import orjson

from controlplane.services.ses.errors import InvalidRenderingParameter, MissingRenderingAttribute

_FIELD = re.compile(r"\{\{(\{?)\s*([A-Za-z0-9_.-]{1,128})\s*\}?\}\}")


def data(text: str) -> dict[str, Any]:
    """The values of a template. Raises InvalidRenderingParameter."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRenderingParameter("Template data is not JSON") from error
    if not isinstance(found, dict):
        raise InvalidRenderingParameter("Template data is not a JSON object")
    return found


def render(text: str, values: Mapping[str, Any], *, markup: bool) -> str:
    """Fill a template in; in HTML `{{x}}` is escaped and `{{{x}}}` is not. Raises MissingRenderingAttribute."""

    def fill(match: re.Match[str]) -> str:
        found: Any = values
        for part in match[2].split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise MissingRenderingAttribute(f"Attribute '{match[2]}' is not present in the rendering data.")
            found = found[part]
        shown = found if isinstance(found, str) else orjson.dumps(found).decode()
        return html.escape(shown) if markup and not match[1] else shown

    return _FIELD.sub(fill, text)
