"""The process that takes mail from outside, once an account has rules for it.

python -m controlplane.supervise.mail
"""

from __future__ import annotations

import asyncio
import faulthandler
import signal

from controlplane import settings as configuration
from controlplane.core import log
from controlplane.services.ses import listener
from controlplane.settings import Settings
from controlplane.state.database import Database
from controlplane.state.sealing import Sealer, load_root_key
from controlplane.supervise.notify import keep_alive
from controlplane.work.broker import make_celery, publisher
from controlplane.work.hints import hints

_CONNECTIONS = 4


async def serve(settings: Settings) -> None:
    """Listen until a signal comes."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    database = await Database.open(settings.database, generations=settings.generations, size=_CONNECTIONS)
    server = await listener.listen(database, Sealer(load_root_key(settings.root_key)), settings.smtp_address)
    alive = asyncio.create_task(keep_alive())
    await stopped.wait()
    alive.cancel()
    server.close()
    await database.close()


def main() -> None:
    faulthandler.enable()
    settings = configuration.load()
    log.configure("mail", settings.log_level)
    hints.start(publisher(make_celery(settings.broker)))
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
