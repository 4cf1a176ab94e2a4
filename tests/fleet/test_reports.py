"""What hosts must have and what they report: generations, tombstones, orphans, complete reports."""

from __future__ import annotations

from agents.contract.exchange import Capacity, Join, Observed
from agents.contract.machine import Image, Machine, MachineReport, Metadata
from controlplane.fleet import desired, hosts, observed
from controlplane.state.database import Database

WAKER = "test.machine"


def machine(id: str, boots: int = 0) -> Machine:
    metadata = Metadata(
        account="123456789012",
        region="us-east-1",
        zone="us-east-1a",
        instance_type="t3.nano",
        ami_id="ami-1",
        launch_index=0,
        reservation="r-1",
        public_keys=(),
        user_data=None,
        role=None,
        instance_profile_arn=None,
        instance_profile_id=None,
        tokens_required=False,
        hop_limit=1,
        endpoint_enabled=True,
        tags=None,
    )
    image = Image(id="ami-1", disk="d" * 64, kernel=None, initrd=None, command_line="", firmware="bios")
    return Machine(
        id=id,
        vpc="vpc-1",
        ports=(),
        vcpus=1,
        memory_mib=512,
        image=image,
        disks=(),
        metadata=metadata,
        run=True,
        boots=boots,
    )


async def host(database: Database, name: str = "one") -> str:
    async with database.unit() as db:
        capacity = Capacity(vcpus=4, memory_mib=4096, disk_gib=40)
        request = Join(name=name, kind="hypervisor", address="127.0.0.1", capacity=capacity)
        return (await hosts.join(db, request, 1.0))[0]


async def woken(database: Database) -> set[str]:
    """The keys that reports woke; forgets them."""
    async with database.unit() as db:
        return {row["key"] for row in await db.fetch("DELETE FROM work_items WHERE kind = $1 RETURNING key", WAKER)}


async def test_every_change_has_the_next_generation_and_no_change_has_none(database: Database) -> None:
    id = await host(database)
    async with database.unit() as db:
        await desired.put(db, id, machine("i-1"), waker=WAKER)
        await desired.put(db, id, machine("i-1"), waker=WAKER)
        await desired.put(db, id, machine("i-2"), waker=WAKER)
    async with database.unit() as db:
        everything = await desired.changes(db, id, 0)
        later = await desired.changes(db, id, 1)
    assert everything.complete and everything.generation == 2
    assert [change.id for change in everything.changes] == ["i-1", "i-2"]
    assert not later.complete and [change.id for change in later.changes] == ["i-2"]


async def test_a_host_ahead_of_a_restored_database_gets_everything(database: Database) -> None:
    id = await host(database)
    async with database.unit() as db:
        await desired.put(db, id, machine("i-1"))
        found = await desired.changes(db, id, 99)
    assert found.complete and found.generation == 1 and [change.id for change in found.changes] == ["i-1"]


async def test_tombstone_stays_until_its_host_has_reported(database: Database) -> None:
    id = await host(database)
    running = MachineReport(id="i-1", state="running")
    async with database.unit() as db:
        await desired.put(db, id, machine("i-1"), waker=WAKER)
        await observed.note(db, id, Observed(applied={"machine/i-1": 1}, machines=(running,)))
    assert await woken(database) == {"i-1"}
    async with database.unit() as db:
        await desired.remove(db, id, "machine", "i-1", waker=WAKER)
        await desired.remove(db, id, "machine", "i-1", waker=WAKER)
        # A report of before the removal settles nothing.
        await observed.note(db, id, Observed(machines=(running,)))
        assert not await desired.settled(db, id, "machine", "i-1")
        assert (await desired.changes(db, id, 0)).changes[0].document is None
    async with database.unit() as db:
        await observed.note(db, id, Observed(applied={"machine/i-1": 2}))
        assert await desired.settled(db, id, "machine", "i-1")
        report = await observed.report_of(db, "i-1", id)
        assert report is not None and report.state == "absent"
    assert await woken(database) == {"i-1"}
    async with database.unit() as db:
        await observed.forget(db, "i-1", id)
        assert not (await desired.changes(db, id, 0)).changes


async def test_what_nobody_wants_there_is_an_orphan(database: Database) -> None:
    one, two = await host(database, "one"), await host(database, "two")
    async with database.unit() as db:
        await desired.put(db, one, machine("i-1"), waker=WAKER)
        reports = (MachineReport(id="i-1", state="running"), MachineReport(id="i-gone", state="absent"))
        assert (await observed.note(db, two, Observed(machines=reports))).orphans == ("i-1",)
        assert await observed.report_of(db, "i-1", two) is None
        assert (await observed.note(db, one, Observed(machines=reports))).orphans == ()


async def test_complete_report_tells_of_what_has_vanished(database: Database) -> None:
    id = await host(database)
    async with database.unit() as db:
        for name in ("i-1", "i-2"):
            await desired.put(db, id, machine(name), waker=WAKER)
        reports = tuple(MachineReport(id=name, state="running") for name in ("i-1", "i-2"))
        await observed.note(db, id, Observed(machines=reports))
    await woken(database)
    async with database.unit() as db:
        await observed.note(db, id, Observed(machines=reports[:1]))
        kept = await observed.report_of(db, "i-2", id)
        assert kept is not None and kept.state == "running"
        await observed.note(db, id, Observed(machines=reports[:1], complete=True))
        gone = await observed.report_of(db, "i-2", id)
        assert gone is not None and gone.state == "absent"
    assert await woken(database) == {"i-2"}


async def test_a_host_reads_only_blobs_and_machines_of_its_own(database: Database) -> None:
    one, two = await host(database, "one"), await host(database, "two")
    async with database.unit() as db:
        await desired.put(db, one, machine("i-1"))
        for id, allowed in ((one, True), (two, False)):
            assert await desired.needs_blob(db, id, "d" * 64) is allowed
            assert await desired.wants_machine(db, id, "i-1") is allowed
        await desired.remove(db, one, "machine", "i-1")
        assert not await desired.needs_blob(db, one, "d" * 64)
        assert not await desired.wants_machine(db, one, "i-1")
