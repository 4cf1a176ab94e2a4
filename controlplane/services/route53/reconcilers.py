"""Brings zones to the engine, and looks at endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Unit
from controlplane.core.errors import EngineUnavailable
from controlplane.engines.dns.contract import Zone
from controlplane.fleet import resolving
from controlplane.services.route53 import cidr, dnssec, health, names, places, probing, queries, query_logs, vpcs
from controlplane.services.route53.aliases import Aliases
from controlplane.services.route53.rendering import Renderer
from controlplane.services.route53.zones import GONE_ZONE, ZONE
from controlplane.work.reconciler import GONE, Again, Outcome, Run, reconciler
from controlplane.work.wake import wake

_STARTING_SECONDS = 0.3
_LOOKS, _LOOK_SECONDS = 100, 0.02
_SICK = "SELECT id FROM route53_health_checks WHERE id = ANY($1) AND NOT healthy"
_CHECK = "SELECT * FROM route53_health_checks WHERE id = $1"
_SEEN = """
UPDATE route53_health_checks SET healthy = $2, streak = $3, report = $4, checked_at = now(),
    failure = CASE WHEN $5 THEN failure ELSE $4 END, failed_at = CASE WHEN $5 THEN failed_at ELSE now() END
WHERE id = $1 AND version = $6 RETURNING true
"""
_ZONES = "SELECT DISTINCT zone_id FROM route53_record_sets WHERE health_check = $1"
_SIGNED = "SELECT id FROM route53_zones WHERE signing AND ($1::text IS NULL OR name = $1)"
_PARENTS = "SELECT id FROM route53_health_checks WHERE account_id = $1 AND config -> 'ChildHealthChecks' ? $2"
_CHILDREN = "SELECT count(*) FROM route53_health_checks WHERE account_id = $1 AND id = ANY($2) AND healthy"


@reconciler(ZONE)
async def serve(run: Run, id: str) -> Outcome:
    """Write what a zone answers, have older answers forgotten, and only then call its changes in sync."""
    engine = run.engine("dns")
    published: list[str] = []
    assert run.runtime is not None
    cloud = run.runtime.cloud
    async with run.step() as db:
        row = await queries.lock_zone(db, id)
        if row is None:
            return None
        rows = await queries.records(db, id)
        checks = [item["health_check"] for item in rows if item["health_check"]]
        sick = {item["id"] for item in await db.fetch(_SICK, checks)} if checks else set()
        known = Aliases(run.engine("public_names"), db, cloud)
        targets = await known.targets((item["content"] for item in rows), row)
        await known.note(id, targets)
        if row["private"]:
            published = await vpcs.publish(run, db, row, rows, sick, targets)
        else:
            near = places.of_networks(cloud.dns_places, await cidr.blocks_for(db, rows))
            renderer = Renderer(rows, sick, targets, places.somewhere(cloud.regions[0]), near)
            zone = await asyncio.to_thread(renderer.zone)  # it may take a second: others run meanwhile
            ours = await _write(db, engine, row, rows, zone)
            keys = await dnssec.published(run, db, row) if ours else []
    if row["private"]:
        return await _await_hosts(run, row, published)
    if ours:
        await engine.publish_keys(names.served(row["name"]), keys)
        try:
            await engine.refresh(names.served(row["name"]))
        except EngineUnavailable:
            return Again(_STARTING_SECONDS)
    async with run.step() as db:
        await queries.served(db, id, row["version"])
    return None


async def _write(db: Unit, engine: Any, row: Any, rows: list[Any], zone: Zone) -> bool:
    """Write a public zone to the engine, and have others look whom it delegates to; False when it may not answer."""
    ours = await queries.may_serve(db, row) and await engine.write(db, names.served(row["name"]), row["id"], zone)
    below = [item["name"] for item in rows if item["type"] == "NS" and item["name"] != row["name"]]
    for other in await queries.delegated(db, row, below) if below else ():
        await wake(db, ZONE, other["id"])
    return bool(ours)


async def _await_hosts(run: Run, row: Any, published: list[str]) -> Outcome:
    """A private zone is in sync once the hosts that are there have told that they have it."""
    for _ in range(_LOOKS):
        async with run.step() as db:
            if not await resolving.pending(db, published):
                await queries.served(db, row["id"], row["version"])
                return None
        await asyncio.sleep(_LOOK_SECONDS)
    return Again(1.0)


@reconciler(GONE_ZONE)
async def forget(run: Run, name: str) -> Outcome:
    """Have the answers of a zone forgotten that is no more."""
    await run.engine("dns").publish_keys(name, ())
    try:
        await run.engine("dns").refresh(name)
    except EngineUnavailable:
        return Again(_STARTING_SECONDS)
    async with run.step() as db:
        for other in await db.fetch(_SIGNED, f"{name}."):  # another zone of that name may have taken over meanwhile
            await wake(db, ZONE, other["id"])
    return None


@reconciler("route53.signatures", every=3600.0, standing=True)
async def renew(run: Run, key: str) -> Outcome:
    """Have every signed zone look whether its signatures grow old, and whether a key may sign again."""
    async with run.step() as db:
        for zone in await db.fetch(_SIGNED, None):
            await wake(db, ZONE, zone["id"])
    return None


@reconciler("route53.aliases", every=60.0, standing=True)
async def follow(run: Run, key: str) -> Outcome:
    """Work out anew the zones with aliases to services whose addresses are others by now."""
    assert run.runtime is not None
    async with run.step() as db:
        for id in await Aliases(run.engine("public_names"), db, run.runtime.cloud).turned():
            await wake(db, ZONE, id)
    return None


@reconciler(query_logs.WATCH, every=3600.0, standing=True)
async def watch(run: Run, key: str) -> Outcome:
    """Have the engine tell of questions about the zones that are logged."""
    async with run.step() as db:
        configs = await query_logs.logged(db)
    done = await run.engine("dns").watch(query_logs.zone_names(configs))
    return None if done else Again(_STARTING_SECONDS)


@reconciler(health.CHECK)
async def look(run: Run, id: str) -> Outcome:
    """Look at an endpoint once, and again after its interval. No transaction is open meanwhile."""
    async with run.step() as db:
        row = await db.fetchrow(_CHECK, id)
        if row is None:
            return GONE
        config = row["config"]
        well = await _calculated(db, row) if config["Type"] == "CALCULATED" else None
    if config["Disabled"]:
        well, report = True, "Success: The health check is disabled."
    elif well is None:
        well, report = await probing.probe(run.engine("outbound"), config)
    else:
        report = "Success: Enough children are healthy." if well else "Failure: Too few children are healthy."
    if config["Inverted"]:
        well = not well
    if not config["Disabled"] or well != row["healthy"]:
        async with run.step() as db:
            await _note(db, row, report, well=well)
    if config["Disabled"] and well == row["healthy"]:
        return None
    return Again(float(config.get("RequestInterval") or 30)) if config["Type"] != "CALCULATED" else None


async def _calculated(db: Unit, row: Any) -> bool:
    config: Mapping[str, Any] = row["config"]
    healthy = await db.fetchval(_CHILDREN, row["account_id"], list(config["ChildHealthChecks"]))
    return bool(healthy >= config["HealthThreshold"])


async def _note(db: Unit, row: Any, report: str, *, well: bool) -> None:
    """Turn when as many observations in a row as asked for say so, and tell who depends on it."""
    needed = 1 if row["checked_at"] is None else int(row["config"].get("FailureThreshold") or 1)
    streak = 0 if well == row["healthy"] else row["streak"] + 1
    turned = streak >= needed > 0 and streak > 0
    healthy = well if turned else row["healthy"]
    kept = 0 if turned else streak
    if not await db.fetchval(_SEEN, row["id"], healthy, kept, report, report.startswith("Success"), row["version"]):
        return
    if not turned:
        return
    for zone in await db.fetch(_ZONES, row["id"]):
        await wake(db, ZONE, zone["zone_id"])
    for parent in await db.fetch(_PARENTS, row["account_id"], row["id"]):
        await wake(db, health.CHECK, parent["id"])
