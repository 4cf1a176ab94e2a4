"""The embedded Postgres: durable, closed to others, quickly back after a kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from controlplane.settings import Settings
from controlplane.state.embedded import Postgres
from controlplane.supervise import ground

RESTART_SECONDS = 2.0


class Server:
    """A Postgres in a folder of its own, with the durable settings that users get."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        self.owner = ground.owner(self.settings)
        ground.lay_out(self.settings, self.owner)
        self.postgres = Postgres(home, self.owner)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        began = time.monotonic()
        self.postgres.prepare()
        drop = self.owner.drop
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "QUIT", *self.postgres.command()],
            cwd="/",
            stderr=subprocess.DEVNULL,
            user=self.owner.uid if drop else None,
            group=self.owner.gid if drop else None,
            extra_groups=[] if drop else None,
        )
        while not asyncio.run(self.postgres.healthy()):
            assert self.process.poll() is None, "it ended while it started"
            assert time.monotonic() - began < 30
            time.sleep(0.01)
        return time.monotonic() - began

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(10)


@pytest.fixture
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="celaje-pg-") as folder:
        made = Server(Path(folder))
        made.start()
        yield made
        made.kill(signal.SIGINT)


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def _value(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def test_committed_rows_survive_a_kill_and_it_is_back_soon(server: Server) -> None:
    url = server.settings.database
    asyncio.run(_execute(url, "CREATE TABLE t (n int)", "INSERT INTO t SELECT generate_series(1, 20000)"))
    server.kill()
    assert server.start() < RESTART_SECONDS
    assert asyncio.run(_value(url, "SELECT count(*) FROM t")) == 20000


def test_a_lock_of_a_process_with_the_same_number_does_not_block(server: Server) -> None:
    server.kill()
    lock = server.postgres.data / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert server.start() < RESTART_SECONDS


def test_writes_are_durable(server: Server) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert asyncio.run(_value(server.settings.database, f"SHOW {setting}")) == "on"


def test_it_listens_on_no_port_and_only_its_user_may_connect(server: Server) -> None:
    assert asyncio.run(_value(server.settings.database, "SHOW listen_addresses")) == ""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    probe = f"import socket; socket.socket(socket.AF_UNIX).connect('{server.settings.run}/.s.PGSQL.5432')"
    tried = subprocess.run(["/usr/bin/python3", "-c", probe], user="nobody", group="nogroup", capture_output=True)
    assert b"PermissionError" in tried.stderr
