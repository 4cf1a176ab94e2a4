"""Containers that Docker really runs: from a desired document to a report, through deaths of agent and dockerd."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agents.contract.container import Container, ContainerImage, ContainerReport
from agents.images import packages
from controlplane.core.context import Unit
from controlplane.engines.blobs.files import FileBlobs
from controlplane.fleet import desired, observed
from controlplane.settings import Settings
from controlplane.state.database import Database
from controlplane.supervise.cloud import containers_reason
from tests.cloud import Cloud

pytestmark = pytest.mark.machines

T = TypeVar("T")
PATIENCE = 20.0
STEADY = "c-steady"
FOREVER = ("/bin/busybox", "sleep", "1000000")


class Host:
    """The one container host of a cloud of its own, driven through the fleet's tables as a service would."""

    def __init__(self, cloud: Cloud, archive: str) -> None:
        self.cloud = cloud
        self.image = ContainerImage(reference="busybox", archive=archive)
        self.id = self._ask(lambda db: db.fetchval("SELECT id FROM fleet_hosts WHERE kind = 'container'"))

    @property
    def home(self) -> Path:
        return self.cloud.home / "containers"

    @property
    def name(self) -> str:
        """The cloud's short id."""
        return str(json.loads((self.home / "identity.json").read_text())["cloud"])

    def want(self, id: str, *command: str, **more: Any) -> None:
        """Have a container be there."""
        document = Container(id=id, image=self.image, command=command, **more)
        self._ask(lambda db: desired.put(db, self.id, document))

    def drop(self, id: str) -> None:
        """Have a container go."""
        self._ask(lambda db: desired.remove(db, self.id, "container", id))

    def lose(self, id: str) -> None:
        """Forget a container without telling the host."""
        self._ask(lambda db: db.execute("DELETE FROM fleet_desired WHERE id = $1", id))

    def wait(self, id: str, state: str, seconds: float = PATIENCE) -> ContainerReport:
        """Wait until a container is reported in a state."""
        deadline = time.monotonic() + seconds
        while True:
            report = self._ask(lambda db: observed.container_report_of(db, id, self.id))
            if report is not None and report.state == state:
                return report
            assert time.monotonic() < deadline, f"{id}: {report}\n{self.cloud.celaje('logs', 'containers')}"
            time.sleep(0.05)

    def facts(self) -> dict[str, str]:
        """What the host tells of itself."""
        return dict(self._ask(lambda db: db.fetchval("SELECT facts FROM fleet_hosts WHERE id = $1", self.id)))

    def docker(self, *words: str) -> str:
        """What the docker command says, asked of the dockerd that has the containers."""
        own = Path(f"/run/celaje/{self.name}-containers/docker.sock")
        command = [
            "docker",
            "-H",
            f"unix://{own}" if (self.home / "docker").exists() else "unix:///run/docker.sock",
            *words,
        ]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def pid_of(self, id: str) -> int:
        """The process of a running container."""
        return int(self.docker("inspect", "--format", "{{.State.Pid}}", f"celaje-{self.name}-{id}"))

    def told_truly(self, id: str) -> bool:
        """Whether a container was started, and does what its host tells of it."""
        report = self._ask(lambda db: observed.container_report_of(db, id, self.id))
        runs = self.docker("inspect", "--format", "{{.State.Running}}", f"celaje-{self.name}-{id}") == "true"
        return report is not None and report.state == ("running" if runs else "exited")

    def daemon(self) -> int:
        """The dockerd that the agent has started; skips the test where the host has one."""
        if not (self.home / "docker").exists():
            pytest.skip("the host has a dockerd, which is not ours to kill")
        return int(Path(f"/run/celaje/{self.name}-containers/docker.pid").read_text())

    def _ask(self, question: Callable[[Unit], Awaitable[T]]) -> T:
        async def ask() -> T:
            settings = Settings(home=self.cloud.home)
            database = await Database.open(settings.database, size=1, generations=settings.generations)
            try:
                async with database.unit() as db:
                    return await question(db)
            finally:
                await database.close()

        return asyncio.run(ask())


def busybox(folder: Path) -> Path:
    """The tar of a root file system with Debian's busybox in it."""
    root = folder / "root"
    packages.unpack(["busybox-static"], folder / "downloads", root)
    archive = folder / "busybox.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root / "bin" / "busybox", "bin/busybox")
    return archive


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A container host with one container that runs."""
    settings = Settings()
    if reason := containers_reason(settings):
        pytest.skip(reason)
    cloud = Cloud(Path(tempfile.mkdtemp(prefix="containers-")), agent=False)
    try:
        cloud.start(containers=True)
        archive = asyncio.run(FileBlobs(cloud.home / "blobs").put_file(busybox(cloud.home / "image")))
        host = Host(cloud, archive)
        host.want(STEADY, *FOREVER)
        host.wait(STEADY, "running", 60)
        yield host
    finally:
        cloud.stop()
        shutil.rmtree(cloud.home)


@pytest.fixture(autouse=True)
def untouched(host: Host) -> Iterator[None]:
    """Whatever dies, the container that ran goes on in the same process."""
    before = host.pid_of(STEADY)
    yield
    _eventually(lambda: host.pid_of(STEADY) == before, "the steady container is there")


def test_a_container_runs_and_tells_how_it_ended(host: Host) -> None:
    script = 'echo "$GREETING" > /made; read -r said < /made; [ "$said" = hello ] && exit 7'
    host.want("c-seven", "/bin/busybox", "sh", "-c", script, environment=(("GREETING", "hello"),))
    report = host.wait("c-seven", "exited")
    assert report.exit_code == 7
    assert {"image", "create", "start"} <= report.spans.keys()
    print(report.spans)


def test_limits_are_kept(host: Host) -> None:
    host.want("c-large", "/bin/busybox", "sh", "-c", "a=x; while true; do a=$a$a; done", memory_mib=16)
    report = host.wait("c-large", "exited")
    assert report.exit_code == 137 and "OutOfMemory" in (report.reason or "")


def test_nothing_of_the_hosts_network_is_seen_or_changed(host: Host) -> None:
    own = Path(f"/proc/{host.pid_of(STEADY)}/net/dev").read_text()
    assert [line.split(":")[0].strip() for line in own.splitlines()[2:]] == ["lo"]
    if host.daemon():
        rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
        assert "DOCKER" not in rules


def test_it_stops_when_told_and_goes_when_nobody_wants_it(host: Host) -> None:
    host.want("c-stop", *FOREVER, stop_seconds=1)
    host.wait("c-stop", "running")
    host.want("c-stop", *FOREVER, stop_seconds=1, run=False)
    assert host.wait("c-stop", "exited").exit_code == 137
    host.drop("c-stop")
    host.wait("c-stop", "absent")
    assert "c-stop" not in host.docker("ps", "-a", "--format", "{{.Names}}")
    assert not (host.home / "made" / "c-stop").exists()


def test_what_cannot_start_says_why(host: Host) -> None:
    host.want("c-wrong", "/no/such/program")
    assert "no such file" in (host.wait("c-wrong", "failed").reason or "")
    host.drop("c-wrong")
    host.wait("c-wrong", "absent")


def test_an_image_is_kept_once(host: Host) -> None:
    assert host.docker("images", "--format", "{{.Repository}}") == f"celaje-{host.name}"
    assert list((host.home / "blobs").iterdir()) == [], "the archive is in Docker, and only there"


@pytest.mark.parametrize("victim", ["agent", "dockerd", "both"])
def test_kills_while_containers_start_and_go(host: Host, victim: str) -> None:
    ids = [f"c-{victim}-{number}" for number in range(3)]
    for id, delay in zip(ids, (0.05, 0.2, 0.5), strict=True):
        host.want(id, *FOREVER, stop_seconds=1)
        time.sleep(delay)
        _kill(host, victim)
    # One whose start was cut off may have ended, and is not run again; what is told of it must be true.
    try:
        _eventually(lambda: all(host.told_truly(id) for id in ids), "each runs or has ended, as told", 3 * PATIENCE)
    except AssertionError as error:
        raise AssertionError(f"{host.docker('ps', '-a')}\n{host.cloud.celaje('logs', 'containers')}") from error
    for id in ids:
        host.drop(id)
    _kill(host, victim)
    for id in ids:
        host.wait(id, "absent", 3 * PATIENCE)
    left = {f"celaje-{host.name}-{STEADY}"}
    _eventually(lambda: set(host.docker("ps", "--format", "{{.Names}}").split()) == left, "only the steady one is left")


def test_dockerd_is_back_by_itself(host: Host) -> None:
    killed = host.daemon()
    began = time.monotonic()
    _kill(host, "dockerd")
    _eventually(lambda: host.daemon() != killed and bool(host.docker("ps")), "dockerd is back")
    print(f"dockerd was back after {time.monotonic() - began:.1f} s")
    _eventually(lambda: "trouble" not in host.facts(), "the host is well again")


def test_an_orphan_is_removed_only_when_the_control_plane_says_so(host: Host) -> None:
    host.want("c-orphan", *FOREVER, stop_seconds=1)
    host.wait("c-orphan", "running")
    pid = host.pid_of("c-orphan")
    host.lose("c-orphan")
    assert host.pid_of("c-orphan") == pid
    _kill(host, "agent")
    _eventually(lambda: "c-orphan" not in host.docker("ps", "-a"), "the orphan is gone", 90)


def test_status_shows_the_host(host: Host) -> None:
    _eventually(lambda: "docker" in host.facts().get("engine", ""), "the engine is known")
    shown = host.cloud.celaje("status")
    line = next(line for line in shown.splitlines() if " container " in line)
    assert "ready" in line and "docker 2" in line


def test_down_stops_dockerd_and_up_finds_the_containers(host: Host) -> None:
    pid, daemon = host.pid_of(STEADY), host.daemon()
    host.cloud.celaje("down")
    assert not Path(f"/proc/{daemon}").exists() and Path(f"/proc/{pid}").exists()
    host.cloud.start(containers=True)
    _eventually(lambda: host.pid_of(STEADY) == pid, "the container goes on")


def _kill(host: Host, victim: str) -> None:
    if victim in ("dockerd", "both"):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
            os.kill(host.daemon(), signal.SIGKILL)
    if victim in ("agent", "both"):
        pid = host.cloud.process("containers")["pid"]
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _eventually(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(subprocess.CalledProcessError, FileNotFoundError, ValueError):
            if condition():
                return
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
