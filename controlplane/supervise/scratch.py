"""A Postgres for a while: for tests, and for finding out what a new migration must hold."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane.settings import Settings
from controlplane.state.embedded import Postgres
from controlplane.supervise import ground

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


@contextmanager
def scratch_postgres() -> Iterator[str]:
    """The URL of an empty database in a server of its own, which is gone when the block ends (or this process)."""
    home = Path(tempfile.mkdtemp(prefix="celaje-scratch-"))
    try:
        settings = Settings(home=home)
        owner = ground.owner(settings)
        ground.lay_out(settings, owner)
        postgres = Postgres(home, owner)
        postgres.prepare()
        with (home / "logs" / "postgres.log").open("wb") as log:
            server = subprocess.Popen(
                ["setpriv", "--pdeathsig", "QUIT", *postgres.command(), "--fsync=off"],
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                user=owner.uid if owner.drop else None,
                group=owner.gid if owner.drop else None,
                extra_groups=[] if owner.drop else None,
            )
        try:
            _wait(postgres, server, home)
            yield settings.database
        finally:
            server.send_signal(signal.SIGQUIT)  # at once, without a checkpoint: the data goes anyway
            server.wait(_STOP_SECONDS)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _wait(postgres: Postgres, server: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not asyncio.run(postgres.healthy()):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError((home / "logs" / "postgres.log").read_text())
        time.sleep(0.02)
