"""Ids, times and pages, the same for all that the service has."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from controlplane.core.arn import arn as make
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.route53resolver.errors import InvalidNextTokenException

_MOST = 100


def new_id(kind: str) -> str:
    return f"rslvr-{kind}-{secrets.token_hex(9)[:17]}"


def arn(ctx: Context, kind: str, id: str) -> str:
    return make("route53resolver", ctx.region, ctx.account_id, f"{kind}/{id}")


def on(kind: str, member: str) -> Callable[[Context, Any], Resource]:
    """What a member of the request names."""
    return lambda ctx, request: Resource(arn(ctx, kind, request[member]))


def time(at: datetime) -> str:
    """A time as this API writes it: text."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def told(ctx: Context, text: str) -> str:
    """A StatusMessage."""
    return f"[Trace id: {ctx.request_id}] {text}"


def page(request: Any, rows: Sequence[Any], shown: Callable[[Any], dict[str, Any]], member: str) -> dict[str, Any]:
    """So many rows, ordered by id, as the request wants, from its token on, that fit its filters.

    Raises InvalidNextTokenException.
    """
    found = [item for item in map(shown, rows) if fits(item, request.get("Filters") or ())]
    return {**listed(request, found, member), "MaxResults": _limit(request)}


def listed(request: Any, items: Sequence[dict[str, Any]], member: str, key: str = "Id") -> dict[str, Any]:
    """So many of what is there, ordered by `key`, as the request wants, from its token on. Raises
    InvalidNextTokenException."""
    limit, token = _limit(request), request.get("NextToken")
    try:
        after = decode_token(token) if token else None
        found = [item for item in items if after is None or item[key] > after]
    except (ValueError, TypeError) as error:
        raise InvalidNextTokenException("[RSLVR-00405] The specified NextToken is invalid.") from error
    more = {"NextToken": encode_token(found[limit - 1][key])} if len(found) > limit else {}
    return {member: found[:limit], **more}


def _limit(request: Any) -> int:
    return min(request.get("MaxResults") or _MOST, _MOST)


_FILTERS = {"CREATOR_REQUEST_ID": "CreatorRequestId", "VPC_ID": "VPCId", "HOST_VPC_ID": "HostVPCId", "TYPE": "RuleType"}
_FILTERS |= {"DOMAIN_NAME": "DomainName", "NAME": "Name", "STATUS": "Status", "DIRECTION": "Direction"}
_FILTERS |= {"RESOLVER_ENDPOINT_ID": "ResolverEndpointId", "RESOLVER_RULE_ID": "ResolverRuleId"}


def fits(item: dict[str, Any], filters: Sequence[Any]) -> bool:
    """Filters have two spellings: `CreatorRequestId` and `CREATOR_REQUEST_ID`."""
    return all(
        str(item.get(_FILTERS.get(each.get("Name", ""), each.get("Name", "")), "")) in (each.get("Values") or ())
        for each in filters
    )


def tags(given: Sequence[Any] | None) -> dict[str, str]:
    """Tags as they are kept."""
    return {tag["Key"]: tag["Value"] for tag in given or ()}
