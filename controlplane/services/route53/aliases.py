"""Aliases to what other services have, such as a website of S3: the engine `public_names` knows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from agents.contract.network import METADATA
from controlplane.core.context import Cloud, Context, Unit
from controlplane.core.public_names import AliasTarget
from controlplane.services.route53 import names
from controlplane.services.route53.errors import InvalidInput

TYPES = ("A", "AAAA")
"""Of records that lead to a service."""
_OF_AWS = ("amazonaws.com.", "amazonaws.com.cn.", "awsapprunner.com.", "awsglobalaccelerator.com.", "cloudfront.net.",
           "elasticbeanstalk.com.", "on.aws.")  # fmt: skip
"""Where names of AWS's services lie."""
_ZONES = "SELECT id, private, leads FROM route53_zones WHERE leads IS NOT NULL"
_NOTE = "UPDATE route53_zones SET leads = $2 WHERE id = $1 AND leads IS DISTINCT FROM $2"

Targets = Mapping[str, AliasTarget]
"""By the names that aliases have for them."""


class Aliases:
    """What aliases may lead to, one look at each name. `public_names` is the engine."""

    def __init__(self, public_names: Any, db: Unit, cloud: Cloud) -> None:
        self._names = public_names
        self._db = db
        self._cloud = cloud
        self._found: dict[str, AliasTarget | None] = {}

    async def targets(self, contents: Iterable[Mapping[str, Any]], zone: Mapping[str, Any]) -> dict[str, AliasTarget]:
        """The services' targets among those that record sets of a zone lead to."""
        wanted = {target["DNSName"] for content in contents if (target := _foreign(content, zone["id"])) is not None}
        return await self._named(wanted, private=zone["private"])

    async def turned(self) -> list[str]:
        """Ids of zones whose aliases lead elsewhere than they did when the zone was last worked out."""
        zones = await self._db.fetch(_ZONES)
        return [
            zone["id"]
            for zone in zones
            if _told(await self._named(zone["leads"], private=zone["private"])) != zone["leads"]
        ]

    async def note(self, zone_id: str, targets: Targets) -> None:
        """Remember what a zone's aliases lead to now."""
        await self._db.execute(_NOTE, zone_id, _told(targets) or None)

    async def _named(self, wanted: Iterable[str], *, private: bool) -> dict[str, AliasTarget]:
        # In a VPC the gateway is where guests find the API.
        gateway = (METADATA,) if private else self._cloud.gateway_addresses
        found = {}
        for name in wanted:
            if name not in self._found:
                self._found[name] = await self._names.target(self._db, names.served(name))
            target = self._found[name]
            if target is not None:
                found[name] = replace(target, addresses=gateway) if target.addresses is None else target
        return found


async def locate(ctx: Context, sets: Iterable[dict[str, Any]]) -> None:
    """Have the aliases that do not say their hosted zone say it. Raises InvalidInput for a name that no service has."""
    engine = ctx.engine("public_names")
    for alias in (each["AliasTarget"] for each in sets if "AliasTarget" in each):
        if "HostedZoneId" not in alias:
            target = await engine.target(ctx.db, alias["DNSName"])
            if target is None:
                raise InvalidInput(f"The endpoint {alias['DNSName']} is not one that this cloud has.")
            alias["HostedZoneId"] = target.zone_id


def may_be_of_aws(name: str) -> bool:
    """Whether an alias may lead to a name, although no service of this cloud knows it."""
    return any(names.within(name, domain) for domain in _OF_AWS)


def _foreign(content: Mapping[str, Any], zone_id: str) -> Mapping[str, Any] | None:
    target = content.get("AliasTarget")
    return target if target is not None and target["HostedZoneId"] != zone_id else None


def _told(targets: Targets) -> dict[str, Any]:
    return {name: [*(target.addresses or ()), target.healthy] for name, target in targets.items()}


def values(type: str, target: AliasTarget) -> tuple[str, ...]:
    """What a record of this type answers."""
    return tuple(address for address in target.addresses or () if (":" in address) == (type == "AAAA"))
