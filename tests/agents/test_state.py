"""What an agent keeps on disk and what it tells: ledger, blobs, disks, keepers, reports."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.contract.exchange import Change, Noted, Observed
from agents.contract.machine import MachineReport
from agents.contract.network import Vpc
from agents.names import Names, check_id
from agents.runtime.consoles import end_of
from agents.runtime.keeper import Keeper
from agents.runtime.ledger import Key, Ledger
from agents.runtime.reporter import Reporter
from agents.volumes.blobs import Blobs, Corrupt
from agents.volumes.disks import virtual_size

KINDS = ("vpc", "machine")


def test_the_ledger_survives_and_refuses_paths(tmp_path: Path) -> None:
    vpc = Vpc(id="vpc-1", cidrs=("10.0.0.0/16",), dns_domain="ec2.internal")
    ledger = Ledger(tmp_path, KINDS)
    ledger.store(Change(kind="vpc", id="vpc-1", generation=3, document=vpc))
    ledger.store(Change(kind="machine", id="i-1", generation=4, document=None))
    (tmp_path / "vpc" / ".vpc-1.json.77.tmp").write_text("half a doc")
    again = Ledger(tmp_path, KINDS)
    assert set(again.keys()) == {Key("vpc", "vpc-1"), Key("machine", "i-1")}
    assert again.get(Key("vpc", "vpc-1")) == Change(kind="vpc", id="vpc-1", generation=3, document=vpc)
    again.forget(Key("machine", "i-1"))
    assert list(Ledger(tmp_path, KINDS).keys()) == [Key("vpc", "vpc-1")]
    for kind, id in (("vpc", "../../etc/passwd"), ("vpc", ""), ("vpc", "a" * 65), ("../vpc", "vpc-1")):
        with pytest.raises(ValueError):
            again.store(Change(kind=kind, id=id, generation=1, document=None))


def test_names_fit_and_differ_by_cloud() -> None:
    one, two = Names("a"), Names("b")
    for name in (one.tap("eni-0123456789abcdef0"), one.uplink("vpc-0123456789abcdef0")):
        assert len(name) == 15
    assert one.tap("eni-1") != two.tap("eni-1") and one.tap("eni-1") == Names("a").tap("eni-1")
    assert not two.tap("eni-1").startswith(one.tap_prefix)
    for bad in ("", "UPPER", "a-b", "x" * 17, "a/b"):
        with pytest.raises(ValueError):
            Names(bad)
    with pytest.raises(ValueError):
        check_id("i-1\n")


async def test_a_blob_is_fetched_once_and_checked(tmp_path: Path) -> None:
    content, fetched = b"image" * 1000, 0
    digest = hashlib.sha256(content).hexdigest()

    async def fetch(_digest: str) -> AsyncIterator[bytes]:
        nonlocal fetched
        fetched += 1
        await asyncio.sleep(0.01)
        yield content if fetched > 1 else content[:-1]

    blobs = Blobs(tmp_path, fetch)
    with pytest.raises(Corrupt):
        await blobs.path(digest)
    assert list(tmp_path.iterdir()) == []
    paths = await asyncio.gather(*(blobs.path(digest) for _ in range(5)))
    assert {path.read_bytes() for path in paths} == {content} and fetched == 2
    with pytest.raises(ValueError):
        await blobs.path("../escape")


def test_a_console_is_kept_short_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with path.open("ab", buffering=0) as machine:
        machine.write(b"first line\n")
        assert end_of(path) == b"first line\n"
        machine.write(b"x" * (2 << 20) + b"the end\n")
        told = end_of(path)
        assert told.endswith(b"x" + b"the end\n") and len(told) == 64 << 10
        assert path.stat().st_size == 64 << 10
        machine.write(b"more\n")
        assert path.read_bytes() == told + b"more\n"


async def test_a_keeper_tries_again_and_is_woken() -> None:
    tries: list[float] = []
    loop = asyncio.get_running_loop()

    async def apply() -> bool:
        tries.append(loop.time())
        if len(tries) < 3:
            raise OSError("not yet")
        return len(tries) < 5

    told: list[Exception] = []
    keeper = Keeper("test", apply, told.append)
    await asyncio.sleep(0.05)
    assert len(tries) == 1, "it pauses after a failure"
    keeper.wake()
    await asyncio.sleep(0.05)
    assert len(tries) == 2 and len(told) == 2
    for _ in range(3):
        keeper.wake()
        await asyncio.sleep(0.02)
    assert keeper.task.done() and len(tries) == 5


class _Recorder:
    """Stands for the control plane's end of a report."""

    def __init__(self) -> None:
        self.received: list[Observed] = []

    async def observed(self, observed: Observed) -> Noted:
        self.received.append(observed)
        return Noted(orphans=("i-9",) if any(m.id == "i-9" for m in observed.machines) else ())


async def test_a_report_is_complete_only_with_every_expected_machine() -> None:
    recorder, expected, orphans = _Recorder(), {"i-1", "i-2"}, []

    async def disowned(ids: tuple[str, ...]) -> None:
        orphans.extend(ids)

    reporter = Reporter(recorder, lambda: expected, disowned)  # type: ignore[arg-type]
    task = asyncio.create_task(reporter.run())
    try:
        reporter.seen(MachineReport(id="i-1", state="running"))
        await asyncio.sleep(0.05)
        assert [(o.complete, len(o.machines)) for o in recorder.received] == [(False, 1)]
        reporter.seen(MachineReport(id="i-2", state="running"))
        reporter.seen(MachineReport(id="i-9", state="running"))
        await asyncio.sleep(0.05)
        assert (recorder.received[-1].complete, len(recorder.received[-1].machines)) == (True, 3)
        assert orphans == ["i-9"]
        reporter.seen(MachineReport(id="i-2", state="running"))
        await asyncio.sleep(0.05)
        assert len(recorder.received) == 2, "what has not changed is not told again"
    finally:
        task.cancel()


def test_the_size_of_an_image_is_read_from_its_header(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"QFI\xfb" + bytes(20) + struct.pack(">Q", 3 << 30) + bytes(40))
    assert virtual_size(image) == 3 << 30
    image.write_bytes(b"\x7fELF" + bytes(60))
    with pytest.raises(ValueError):
        virtual_size(image)
