"""What hosts report: stored, then whoever asked for the thing is woken."""

from __future__ import annotations

from typing import Any

from agents.contract.container import ContainerReport
from agents.contract.exchange import Noted, Observed, Report
from agents.contract.machine import MachineReport
from controlplane.core.context import Unit
from controlplane.fleet import desired
from controlplane.work.wake import wake

_STORE = """
INSERT INTO fleet_observed (machine, host_id, report) VALUES ($1, $2, $3)
ON CONFLICT (machine, host_id) DO UPDATE SET report = excluded.report, observed_at = now()
WHERE fleet_observed.report <> excluded.report
RETURNING true
"""
_FORGET = "DELETE FROM fleet_observed WHERE machine = $1 AND host_id = $2"
_WANTED = """
SELECT id, kind, waker, document IS NULL AND applied >= generation AS gone FROM fleet_desired
WHERE host_id = $1 AND kind IN ('machine', 'container')
"""
_APPLIED = """
UPDATE fleet_desired SET applied = $4 WHERE host_id = $1 AND kind = $2 AND id = $3 AND applied < $4 RETURNING waker
"""
_SETTLED_TOMBSTONES = """
DELETE FROM fleet_desired
WHERE host_id = $1 AND document IS NULL AND kind NOT IN ('machine', 'container') AND applied >= generation
"""
_KNOWN = "SELECT machine, report->>'kind' AS kind FROM fleet_observed WHERE host_id = $1"
_REPORT = "SELECT report FROM fleet_observed WHERE machine = $1 AND host_id = $2"
_LAUNCH_STEPS = """
SELECT coalesce(report->>'kind', 'machine') AS kind, step.key AS step, avg(step.value::float) / 1000 AS seconds
FROM fleet_observed, jsonb_each_text(report->'spans') AS step GROUP BY 1, 2 ORDER BY 1, 2
"""


async def note(db: Unit, host: str, observed: Observed) -> Noted:
    """Take a report in. Answers which of the reported machines or containers nobody wants on that host."""
    for thing, generation in observed.applied.items():
        kind, _, id = thing.partition("/")
        if waker := await db.fetchval(_APPLIED, host, kind, id, generation):
            await wake(db, waker, id)
    if observed.applied:
        await db.execute(_SETTLED_TOMBSTONES, host)
    wanted = {row["id"]: row for row in await db.fetch(_WANTED, host)}
    reports: list[Report] = [*observed.machines, *observed.containers]
    told = {report.id for report in reports}
    # What had to go and was never there is told by its generation alone.
    reports += [_absent(row["kind"], id) for id, row in wanted.items() if row["gone"] and id not in told]
    if observed.complete:
        reports += await _vanished(db, host, {report.id for report in reports})
    orphans = []
    for report in reports:
        row = wanted.get(report.id)
        if row is None:
            if report.state != "absent":
                orphans.append(report.id)
            await db.execute(_FORGET, report.id, host)
        elif await db.fetchval(_STORE, report.id, host, report.model_dump(mode="json")) and row["waker"]:
            await wake(db, row["waker"], report.id)
    return Noted(orphans=tuple(orphans))


async def _vanished(db: Unit, host: str, present: set[str]) -> list[Report]:
    known = {row["machine"]: row["kind"] for row in await db.fetch(_KNOWN, host)}
    return [_absent(known[id], id, "it is no longer on its host") for id in known.keys() - present]


def _absent(kind: str | None, id: str, reason: str | None = None) -> Report:
    if kind == "container":
        return ContainerReport(id=id, state="absent", reason=reason)
    return MachineReport(id=id, state="absent", reason=reason)


async def report_of(db: Unit, machine: str, host: str) -> MachineReport | None:
    """The last report of a host about a machine."""
    report = await db.fetchval(_REPORT, machine, host)
    return MachineReport.model_validate(report) if report is not None else None


async def container_report_of(db: Unit, container: str, host: str) -> ContainerReport | None:
    """The last report of a host about a container."""
    report = await db.fetchval(_REPORT, container, host)
    return ContainerReport.model_validate(report) if report is not None else None


async def forget(db: Unit, id: str, host: str, kind: str = "machine") -> None:
    """Drop what is known of a machine or container that is gone, with its tombstone."""
    await db.execute(_FORGET, id, host)
    await desired.forget(db, host, kind, id)


async def launch_steps(db: Unit) -> list[Any]:
    """The mean seconds of each step of the last start, over all machines and containers that hosts report."""
    return await db.fetch(_LAUNCH_STEPS)
