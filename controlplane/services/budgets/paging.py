"""Pages of listings."""

from __future__ import annotations

from typing import Any

from controlplane.core.paging import decode_token, encode_token
from controlplane.services.budgets.errors import InvalidNextTokenException


def position(request: Any, kind: type, first: Any) -> Any:
    """Where a listing goes on. Raises InvalidNextTokenException."""
    token = request.get("NextToken")
    if not token:
        return first
    try:
        found = decode_token(token)
    except ValueError as error:
        raise InvalidNextTokenException("The next token is invalid.") from error
    if not isinstance(found, kind) or (isinstance(found, int) and not 0 <= found < 2**63):
        raise InvalidNextTokenException("The next token is invalid.")
    return found


def more(rows: list[Any], limit: int, key: str) -> dict[str, str]:
    """The token after the last of `limit` rows, of which one more was asked for."""
    return {"NextToken": encode_token(rows[limit - 1][key])} if len(rows) > limit else {}


def slice_of(request: Any, member: str, items: list[Any]) -> dict[str, Any]:
    """A page of a short list that was read as a whole."""
    first, limit = position(request, int, 0), int(request.get("MaxResults") or 100)
    token = {"NextToken": encode_token(first + limit)} if first + limit < len(items) else {}
    return {member: items[first : first + limit], **token}
