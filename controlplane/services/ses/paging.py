"""Where a list goes on."""

from __future__ import annotations

from typing import Any

from controlplane.core.paging import decode_token
from controlplane.services.ses.errors import InvalidParameterValue


def after(request: Any) -> str | None:
    """What a request's NextToken holds. Raises InvalidParameterValue."""
    token = request.get("NextToken")
    if not token:
        return None
    try:
        return str(decode_token(token))
    except ValueError as error:
        raise InvalidParameterValue("Invalid NextToken") from error
