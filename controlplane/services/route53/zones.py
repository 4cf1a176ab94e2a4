"""Hosted zones: their ids, what the policy engine is asked about, and how they are told."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context, Unit
from controlplane.core.operation import Resource
from controlplane.services.route53 import names, queries
from controlplane.services.route53.errors import InvalidInput, NoSuchHostedZone

ZONE = "route53.zone"
"""The kind of work that brings a zone to the engine."""
GONE_ZONE = "route53.gone-zone"
"""The kind of work that has a deleted zone's answers forgotten; its keys are names."""
_ALPHABET = string.ascii_uppercase + string.digits
_DOMAINS = ("com", "net", "org", "co.uk")
_TTL, _APEX_TTL = 172800, 900


def new_id(prefix: str) -> str:
    """`Z` or `C` or `N`, and twenty letters and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(20))


def bare(id: str) -> str:
    """`/hostedzone/Z1` as `Z1`: the API takes both."""
    return id.rpartition("/")[2]


def name_servers() -> list[str]:
    """Four names, in AWS's manner."""
    return [
        f"ns-{512 * place + secrets.randbelow(512)}.awsdns-{secrets.randbelow(64):02d}.{domain}"
        for place, domain in enumerate(_DOMAINS)
    ]


def arn(id: str) -> str:
    return f"arn:aws:route53:::hostedzone/{id}"


def private_name_servers() -> list[str]:
    """Nobody asks them by name: those of private zones are the same for all."""
    return [f"ns-{512 * place}.awsdns-00.{domain}" for place, domain in enumerate(_DOMAINS)]


async def on_zone(ctx: Context, request: Any) -> list[Resource]:
    """The zone that a request names. Its ARN says no account, so that its row must."""
    id = bare(str(request.get("HostedZoneId") or request.get("Id") or "*"))
    row = await queries.zone(ctx.db, id)
    owner = row["account_id"] if row is not None else ctx.account_id
    return [
        Resource(arn(id), row["tags"] if row is not None else {}, conditions={"aws:ResourceAccount": owner}, row=row)
    ]


def existing(ctx: Context, request: Any) -> Any:
    """The row of the caller's zone that was read for asking. Raises NoSuchHostedZone."""
    row = ctx.resources[0].row
    if row is None or row["account_id"] != ctx.account_id:
        raise missing(request)
    return row


async def locked(ctx: Context, request: Any) -> Any:
    """The same, locked. Raises NoSuchHostedZone."""
    row = await queries.lock_zone(ctx.db, existing(ctx, request)["id"])
    if row is None:
        raise missing(request)
    return row


def missing(request: Any) -> NoSuchHostedZone:
    return NoSuchHostedZone(
        f"No hosted zone found with ID: {bare(str(request.get('HostedZoneId') or request.get('Id') or ''))}"
    )


async def changed(ctx: Context, row: Any, version: int, comment: str | None = None) -> dict[str, Any]:
    """Note a change and have it brought to the engine; its ChangeInfo."""
    id = new_id("C")
    await ctx.db.insert(
        "route53_changes",
        id=id,
        account_id=row["account_id"],
        zone_id=row["id"],
        version=version,
        comment=comment,
    )
    await ctx.wake(ZONE, row["id"])
    return {"ChangeInfo": change(await queries.change(ctx.db, id, row["account_id"]))}


def change(row: Mapping[str, Any]) -> dict[str, Any]:
    """A ChangeInfo: in sync once the zone's version is answered, or the zone is gone."""
    done = row["served"] is None or row["served"] >= row["version"]
    shown = {
        "Id": f"/change/{row['id']}",
        "Status": "INSYNC" if done else "PENDING",
        "SubmittedAt": row["submitted_at"],
    }
    return {**shown, "Comment": row["comment"]} if row["comment"] else shown


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A HostedZone."""
    config = {"Comment": row["comment"]} if row["comment"] else {}
    return {
        "Id": f"/hostedzone/{row['id']}",
        "Name": row["name"],
        "CallerReference": row["caller_reference"],
        "Config": {**config, "PrivateZone": row["private"]},
        "ResourceRecordSetCount": row["records"],
    }


def delegation_set(row: Mapping[str, Any]) -> dict[str, Any]:
    """The DelegationSet of a zone."""
    shown: dict[str, Any] = {"NameServers": row["name_servers"]}
    if row["delegation_set"]:
        shown["Id"] = f"/delegationset/{row['delegation_set']}"
    return shown


async def fill(db: Unit, id: str, name: str, servers: list[str]) -> None:
    """The records that every zone begins with."""
    authority = f"{servers[0]}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
    for type, ttl, values in (("NS", _TTL, [f"{server}." for server in servers]), ("SOA", _APEX_TTL, [authority])):
        content = {"Name": name, "Type": type, "TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]}
        await queries.put_record(db, id, name, type, "", names.sort_key(name), None, content)


def limit(request: Any, most: int = 100) -> int:
    """How many items a request wants. Raises InvalidInput."""
    text = str(request.get("MaxItems") or most)
    if not (text.isascii() and text.isdigit() and int(text[:6]) > 0 and len(text) <= 6):
        raise InvalidInput("MaxItems must be a positive number.")
    return min(int(text), most)
