"""What hosts report: stored, then whoever asked for the thing is woken."""

from __future__ import annotations

from agents.contract.exchange import Noted, Observed
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
SELECT id, waker, document IS NULL AND applied >= generation AS gone FROM fleet_desired
WHERE host_id = $1 AND kind = 'machine'
"""
_APPLIED = """
UPDATE fleet_desired SET applied = $4 WHERE host_id = $1 AND kind = $2 AND id = $3 AND applied < $4 RETURNING waker
"""
_SETTLED_TOMBSTONES = """
DELETE FROM fleet_desired WHERE host_id = $1 AND document IS NULL AND kind <> 'machine' AND applied >= generation
"""
_KNOWN = "SELECT machine FROM fleet_observed WHERE host_id = $1"
_REPORT = "SELECT report FROM fleet_observed WHERE machine = $1 AND host_id = $2"


async def note(db: Unit, host: str, observed: Observed) -> Noted:
    """Take a report in. Answers which of the reported machines nobody wants on that host."""
    for thing, generation in observed.applied.items():
        kind, _, id = thing.partition("/")
        if waker := await db.fetchval(_APPLIED, host, kind, id, generation):
            await wake(db, waker, id)
    if observed.applied:
        await db.execute(_SETTLED_TOMBSTONES, host)
    wanted = {row["id"]: row for row in await db.fetch(_WANTED, host)}
    reports = list(observed.machines)
    told = {report.id for report in reports}
    # A machine that had to go and was never there is told by its generation alone.
    reports += [MachineReport(id=id, state="absent") for id, row in wanted.items() if row["gone"] and id not in told]
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


async def _vanished(db: Unit, host: str, present: set[str]) -> list[MachineReport]:
    known = {row["machine"] for row in await db.fetch(_KNOWN, host)}
    return [MachineReport(id=id, state="absent", reason="it is no longer on its host") for id in known - present]


async def report_of(db: Unit, machine: str, host: str) -> MachineReport | None:
    """The last report of a host about a machine."""
    report = await db.fetchval(_REPORT, machine, host)
    return MachineReport.model_validate(report) if report is not None else None


async def forget(db: Unit, machine: str, host: str) -> None:
    """Drop what is known of a machine that is gone, with its tombstone."""
    await db.execute(_FORGET, machine, host)
    await desired.forget(db, host, "machine", machine)
