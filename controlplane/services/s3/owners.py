"""Names of owners, for clients that show them or cannot do without: AWS told them until November 2025."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controlplane.access import directory
from controlplane.core.context import Context

_NAMED = ("Owner", "Initiator", "Grantee")


async def named(ctx: Context, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with the `DisplayName` of each owner, initiator and grantee in it, if this cloud tells them."""
    if not ctx.cloud.owner_names:
        return answer
    names: dict[str, str] = {}
    for one in _owners(answer):
        id = one.get("ID")
        if id is None or "DisplayName" in one:
            continue
        if id not in names:
            account = await directory.account_of_canonical_user(ctx.db, id)
            names[id] = account["name"] if account is not None else ""
        one["DisplayName"] = names[id]
    return answer


def _owners(part: Any) -> Iterator[dict[str, Any]]:
    for item in part if isinstance(part, list) else ():
        yield from _owners(item)
    for name, item in part.items() if isinstance(part, dict) else ():
        if name in _NAMED:
            yield item
        else:
            yield from _owners(item)
