"""Fixtures that all tests share: a database, a running cloud, a fresh account."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from controlplane.state import migrate
from controlplane.state.database import Database
from controlplane.supervise.scratch import scratch_postgres
from tests import leftovers
from tests.cloud import Account, Cloud
from tests.machines import Lab, make_lab

SHOWN_BUGS = 5
STORAGE_DAY = 3.0
"""Seconds that lifecycles and restores take for a day."""
_LONGEST_NAME = 60


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-machines", action="store_true", help="leave out tests that boot machines; no agent is started"
    )


def pytest_configure(config: pytest.Config) -> None:
    """All temporary files of this run, of every xdist worker, lie in one folder that is emptied at the end."""
    config.addinivalue_line("markers", "machines: boots real machines, through an agent that needs root")
    worker = getattr(config, "workerinput", None)
    if not worker:
        leftovers.sweep()
    folder = worker["folder"] if worker else tempfile.mkdtemp(prefix=leftovers.PREFIX)
    config.folder = Path(folder)  # type: ignore[attr-defined]
    config.held = None if worker else leftovers.hold(Path(folder))  # type: ignore[attr-defined]
    config.folder.chmod(0o711)  # type: ignore[attr-defined]
    tempfile.tempdir = folder


def pytest_configure_node(node: object) -> None:
    node.workerinput["folder"] = str(node.config.folder)  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Also on Ctrl-C, when xdist's workers end without tearing down. When even this process is killed, the clouds
    notice and stop by themselves, and the next run removes what is left."""
    if not hasattr(config, "workerinput"):
        tempfile.tempdir = None
        for home in config.folder.iterdir():  # type: ignore[attr-defined]
            if home.is_dir():
                Cloud(home, agent=False).stop()
        shutil.rmtree(config.folder, ignore_errors=True)  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the bugs that the cloud under test has logged: its home is gone afterwards."""
    for path in sorted(config.folder.glob("cloud/logs/*.log")):  # type: ignore[attr-defined]
        bugs = [line for line in path.read_text(errors="replace").splitlines() if '"traceback"' in line]
        if bugs and terminalreporter.stats.get("failed"):
            terminalreporter.section(f"{len(bugs)} tracebacks in {path.name}")
            for bug in bugs[:SHOWN_BUGS]:
                terminalreporter.write_line(json.loads(bug)["traceback"])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that boot machines share one worker: side by side they would starve one another's machines."""
    for item in items:
        if item.get_closest_marker("machines"):
            item.add_marker(pytest.mark.xdist_group("machines"))
            if config.getoption("--no-machines"):
                item.add_marker(pytest.mark.skip(reason="--no-machines"))


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Long values name their tests by their beginning: every report carries the name."""
    if isinstance(val, str | bytes) and len(val) > _LONGEST_NAME:
        return f"{ascii(val[:_LONGEST_NAME])[:_LONGEST_NAME]}...{len(val)}"
    return None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a Postgres of this test process; its database `celaje` is a template with the schema in it."""
    import asyncio

    with scratch_postgres() as url:
        asyncio.run(migrate.upgrade(url))
        yield url


@pytest.fixture
async def database_url(postgres: str) -> AsyncIterator[str]:
    """URL of a fresh database with the schema in it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(postgres.replace("/celaje?", "/postgres?"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE celaje")
    yield postgres.replace("/celaje?", f"/{name}?")
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh database with the schema in it."""
    database = await Database.open(database_url, generations=None)
    yield database
    with contextlib.suppress(TimeoutError):
        await database.close()


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """A running cloud of its own, shared by all tests of this run."""
    config = request.config
    home = config.folder / "cloud"  # type: ignore[attr-defined]
    home.mkdir(exist_ok=True)
    cloud = Cloud(home, agent=not config.getoption("--no-machines"))
    cloud.start(with_parent=hasattr(config, "workerinput"), storage_day=STORAGE_DAY)
    return cloud


@pytest.fixture
def account(cloud: Cloud) -> Account:
    """A fresh account; what one test makes, no other sees."""
    return cloud.new_account()


@pytest.fixture(scope="session")
def tiny_image(cloud: Cloud) -> str:
    """The id of the tiny AMI, built once a run; the cloud's hypervisor agent has joined."""
    if os.geteuid() != 0:
        pytest.skip("the hypervisor agent needs root")
    cloud.wait_until(lambda: cloud.process("agent")["state"] == "ready", 30)
    return cloud.tiny_image()


@pytest.fixture
def lab(account: Account, tiny_image: str, tmp_path: Path) -> Iterator[Lab]:
    """A fresh account, ready to launch machines; they are terminated at the end."""
    lab = make_lab(account, tiny_image, tmp_path)
    yield lab
    instances = [
        item["InstanceId"]
        for reservation in lab.ec2.describe_instances()["Reservations"]
        for item in reservation["Instances"]
    ]
    for instance in instances:
        lab.ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
    if instances:
        lab.ec2.terminate_instances(InstanceIds=instances)
    for instance in instances:
        lab.wait(instance, "terminated")
