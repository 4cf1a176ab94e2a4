"""Stops a host's containers and its own dockerd: `python -m agents.container.down --home DIR`.

Run while the agent is stopped. The containers stay in Docker as they ended; an agent started later reports them so.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import logging
import os
import sys
from pathlib import Path

from agents.container.agent import daemon_of
from agents.container.driver import LABEL, Containers
from agents.container.engine import Engine
from agents.contract.exchange import Joined
from agents.names import Names

log = logging.getLogger(__name__)

_CONNECT_LIMIT = 20.0


async def take_down(home: Path, grace: float) -> None:
    """Stop what the agent with this home has started. Containers have `grace` seconds to end by themselves."""
    identity = home / "identity.json"
    if not identity.exists():
        return
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        joined = Joined.model_validate_json(identity.read_bytes())
        if any((home / "made").iterdir()):
            await _stop_containers(home, joined.cloud, grace)
        daemon = daemon_of(home, joined.cloud)
        daemon.stop()
        daemon.release()
    finally:
        os.close(lock)


async def _stop_containers(home: Path, cloud: str, grace: float) -> None:
    label = f"{LABEL}={cloud}"
    engine = Engine(daemon_of(home, cloud), home, label, lambda _: None, lambda: None, lambda: True)
    running = asyncio.create_task(engine.run())
    try:
        await asyncio.wait_for(engine.ready.wait(), _CONNECT_LIMIT)
        containers = Containers(engine, Names(cloud))
        found = await containers.all()
        await asyncio.gather(*(containers.stop(id, grace) for id, state in found.items() if state == "running"))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def main() -> int:
    """Take one host down."""
    parser = argparse.ArgumentParser(prog="python -m agents.container.down", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of the host's state")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds that containers have to end by themselves")
    options = parser.parse_args()
    asyncio.run(take_down(options.home.absolute(), options.grace))
    return 0


if __name__ == "__main__":
    sys.exit(main())
