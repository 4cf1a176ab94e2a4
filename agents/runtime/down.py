"""Takes a host's part of the cloud down: `python -m agents.runtime.down --home DIR`. Run while the agent is stopped.

Machines are switched off and what the agent made on the host is removed; disks and the ledger stay, so that an agent
started later brings the machines up again, as after a reboot of the host.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import logging
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from agents.contract.exchange import Joined
from agents.hypervisor.connection import Connection
from agents.hypervisor.daemon import Daemon
from agents.hypervisor.driver import Hypervisor
from agents.names import Names
from agents.network import namespace
from agents.network.dhcp import running_dnsmasq
from agents.network.namespace import Namespace
from agents.network.uplink import Uplink
from agents.runtime.memory import recall

log = logging.getLogger(__name__)

_CONNECT_LIMIT = 20.0
_DAEMON_LIMIT = 5.0


async def take_down(home: Path, grace: float) -> None:
    """Remove what the agent with this home has made. Machines have `grace` seconds to switch themselves off."""
    identity = home / "identity.json"
    if not identity.exists():
        return
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        joined = Joined.model_validate_json(identity.read_bytes())
        names, runtime = Names(joined.cloud), Path("/run/celaje") / joined.cloud
        daemon = Daemon(home, runtime / "libvirt")
        await _stop_machines(home, names, daemon, grace)
        _end(daemon.pid())
        await _remove_networks(names, runtime)
        await Uplink(names, joined.public_range, home, runtime).stop()
        shutil.rmtree(runtime, ignore_errors=True)
    finally:
        os.close(lock)


async def _stop_machines(home: Path, names: Names, daemon: Daemon, grace: float) -> None:
    connection = Connection(daemon, lambda *_: None, lambda _: None, lambda: None)
    running = asyncio.create_task(connection.run())
    try:
        await asyncio.wait_for(connection.ready.wait(), _CONNECT_LIMIT)
        hypervisor = Hypervisor(connection, names)
        await asyncio.gather(*(_stop_machine(hypervisor, id, grace) for id in await hypervisor.machines()))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    for folder in (home / "machines").glob("*"):
        memory = recall(folder)
        # As after a reboot of the host: a machine that is to run is started again, unless its guest had gone off.
        memory.started, memory.vpc, memory.ports = None, None, []
        memory.save(folder)


async def _stop_machine(hypervisor: Hypervisor, machine: str, grace: float) -> None:
    deadline = time.monotonic() + grace
    pressed = -3.0
    while await hypervisor.state(machine) not in ("off", "ghost"):
        if time.monotonic() >= deadline:
            await hypervisor.kill(machine)
        elif time.monotonic() - pressed >= 3:
            pressed = time.monotonic()
            await hypervisor.shut_down(machine)
        await asyncio.sleep(0.1)


async def _remove_networks(names: Names, runtime: Path) -> None:
    for folder in (runtime / "vpcs").glob("*"):
        _end(running_dnsmasq(folder / "pid", folder / "dnsmasq.conf"))
    for name in namespace.names(names.namespace_prefix):
        await Namespace(name).delete()
    host = Namespace(None)
    # A veth goes with the namespace of its other end, but a little later, and a tap may not have got there yet.
    for link in await host.show("link"):
        if link["ifname"].startswith((names.tap_prefix, names.uplink_prefix)):
            await host.remove_link(link["ifname"])


def _end(pid: int | None) -> None:
    if pid is None:
        return
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        deadline = time.monotonic() + _DAEMON_LIMIT
        while Path(f"/proc/{pid}").exists() and not _is_zombie(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        os.close(descriptor)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def main() -> int:
    """Take one host down."""
    parser = argparse.ArgumentParser(prog="python -m agents.runtime.down", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of the host's state")
    parser.add_argument("--grace", type=float, default=20.0, help="seconds that machines have to switch themselves off")
    options = parser.parse_args()
    asyncio.run(take_down(options.home.absolute(), options.grace))
    return 0


if __name__ == "__main__":
    sys.exit(main())
