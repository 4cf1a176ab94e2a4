"""A gateway worker: serves `controlplane.app` on a socket that the supervisor opened.

python -m controlplane.supervise.gateway NAME DESCRIPTOR
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import resource
import socket
import sys

import uvicorn
import uvloop

from controlplane import settings as configuration
from controlplane.core import log
from controlplane.gateway.connection import BoundedConnection
from controlplane.supervise.notify import keep_alive
from controlplane.supervise.sharing import Server, Shares

_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 2


async def serve(listening: socket.socket, shares: Shares) -> None:
    """Serve until a signal comes; requests in flight get a few seconds to end."""
    BoundedConnection.counted = shares.change
    server = Server(
        uvicorn.Config(
            "controlplane.app:app",
            http=BoundedConnection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        ),
        listening,
        shares,
    )

    async def report() -> None:
        while not server.started:
            await asyncio.sleep(0.01)
        _spare_the_collector()
        await keep_alive()

    reporting = asyncio.create_task(report())
    try:
        await server.serve()
    finally:
        reporting.cancel()
    if not server.started:
        sys.exit(3)


def _spare_the_collector() -> None:
    """What was loaded at the start stays: the garbage collector need not walk it again and again under load."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def main() -> None:
    name, descriptor = sys.argv[1], int(sys.argv[2])
    faulthandler.enable()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the usual 1,024 are fewer than the connections we take
    settings = configuration.load()
    log.configure(name, settings.log_level)
    place = int(name.rpartition("-")[2])
    shares = Shares(settings.run / "connections", place, settings.gateway_workers)
    uvloop.run(serve(socket.socket(fileno=descriptor), shares))


if __name__ == "__main__":
    main()
