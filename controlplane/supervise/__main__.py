"""The supervisor process. `celaje up` starts it in the background.

python -m controlplane.supervise [--with PID]    with --with it stops when that process ends (tests)
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys

from pydantic import ValidationError

from controlplane import settings as configuration
from controlplane.core import log
from controlplane.settings import Settings
from controlplane.supervise import cloud, control, ground, leftovers
from controlplane.supervise.ground import GroundError
from controlplane.supervise.notify import keep_alive
from controlplane.supervise.supervisor import Supervisor

_BACKLOG = 2048


def listen(settings: Settings) -> socket.socket:
    """The endpoint's socket. Raises GroundError when the address is taken."""
    family, _, _, _, address = socket.getaddrinfo(*settings.address, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
    except OSError as error:
        raise GroundError(
            f"cannot listen on {settings.listen}: {error.strerror}. Give another address with --listen."
        ) from error
    listening.listen(_BACKLOG)
    return listening


async def run(settings: Settings, guardian: int | None) -> None:
    """Run the cloud until a signal or `celaje down` comes, or the guardian process ends."""
    owner = ground.owner(settings)
    listening = listen(settings)
    supervisor = Supervisor(settings, cloud.stages(settings, owner, listening.fileno()))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stopping.set)
    if guardian is not None:
        loop.add_reader(os.pidfd_open(guardian), supervisor.stopping.set)
    server = await control.serve(settings.home / "control.sock", supervisor)
    sign_of_life = asyncio.create_task(_keep_alive(supervisor))
    try:
        await supervisor.run()
    finally:
        sign_of_life.cancel()
        server.close()
        (settings.home / "control.sock").unlink(missing_ok=True)
        listening.close()


async def _keep_alive(supervisor: Supervisor) -> None:
    await supervisor.started.wait()
    await keep_alive()


def main() -> int:
    """Exit status 1, with the reason as the last line on standard error, when the cloud cannot be started at all."""
    parser = argparse.ArgumentParser(prog="python -m controlplane.supervise")
    parser.add_argument("--with", dest="guardian", type=int, metavar="PID")
    guardian = parser.parse_args().guardian
    try:
        settings = configuration.load()
        owner = ground.owner(settings)
        ground.check_reachable(owner)
        ground.lay_out(settings, owner)
        with (settings.home / "supervisor.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise GroundError(f"a supervisor runs already in {settings.home}") from None
            log.configure("supervisor", settings.log_level)
            leftovers.end(settings.home / "processes.json")
            settings = ground.with_public_range(settings)
            asyncio.run(run(settings, guardian))
    except (GroundError, ValidationError, OSError, subprocess.CalledProcessError) as error:
        logging.getLogger(__name__).debug("cannot start", exc_info=True)
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
