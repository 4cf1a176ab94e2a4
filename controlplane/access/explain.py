"""Tells why a request was allowed or denied, from what the recorder wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from controlplane.access.queries import Reader

_FIND = """
SELECT request_id, at, account_id, principal, action, resource, allowed, details
FROM access_decisions WHERE request_id = $1 ORDER BY id
"""


async def find(db: Reader, request_id: str) -> list[Any]:
    """The recorded decisions of a request, in order; none when it asked nothing or was not kept."""
    return await db.fetch(_FIND, request_id)


def tell(decision: Mapping[str, Any]) -> Iterator[str]:
    """One decision in lines for people. What callers wrote into it (a user agent, say) cannot steer a terminal."""
    return map(_harmless, _lines(decision))


def _harmless(line: str) -> str:
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in line)


def _lines(decision: Mapping[str, Any]) -> Iterator[str]:
    details = decision["details"]
    yield f"{'Allowed' if decision['allowed'] else 'Denied'} {decision['at']:%Y-%m-%d %H:%M:%S} UTC"
    yield f"  principal  {decision['principal']}"
    yield f"  action     {decision['action']}"
    yield f"  resource   {decision['resource']} (account {details['owner']})"
    yield f"  because    {_because(decision['allowed'], details)}"
    for kind, names in details["policies"].items():
        yield f"  {kind}: {', '.join(names) or 'none'}"
    for key, value in details["conditions"].items():
        shown = "absent" if value is None else ", ".join(value) if isinstance(value, list) else value
        yield f"  condition key {key}: {shown}"


def _because(allowed: bool, details: Mapping[str, Any]) -> str:
    statement = details["statement"]
    if statement is None:
        return details["reason"].removeprefix("because ") or "the caller is the root user of the account"
    named = f"statement {statement['index']}" + (f" ({statement['sid']})" if statement["sid"] else "")
    return f"{named} of {statement['policy']} {'allows' if allowed else 'denies'} it ({details['kind']})"
