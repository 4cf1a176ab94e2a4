"""The process that takes mail: from outside, once an account has rules for it, and from those who log in.

python -m controlplane.supervise.mail
"""

from __future__ import annotations

import asyncio
import faulthandler

from controlplane import settings as configuration
from controlplane.core import log
from controlplane.gateway.assembly import Assembly
from controlplane.services.ses import listener
from controlplane.services.ses.submission import Submission
from controlplane.settings import Settings
from controlplane.state.database import Database
from controlplane.state.sealing import Sealer, load_root_key
from controlplane.supervise.notify import live
from controlplane.work.broker import make_celery, publisher
from controlplane.work.hints import hints

_CONNECTIONS = 4


async def serve(settings: Settings) -> None:
    """Listen until a signal comes."""
    database = await Database.open(settings.database, generations=settings.generations, size=_CONNECTIONS)
    assembly = None
    if settings.smtp_certificate is not None:
        assembly = Assembly(settings, database)
        assembly.start()
    sealer = Sealer(load_root_key(settings.root_key))
    server = await listener.listen(database, sealer, settings.smtp_address, _submission(settings, database, assembly))
    await live()
    server.close()
    if assembly is not None:
        await assembly.stop()
    await database.close()


def _submission(settings: Settings, database: Database, assembly: Assembly | None) -> Submission | None:
    """The means to send, for those who log in; only with a certificate."""
    if assembly is None or settings.smtp_certificate is None:
        return None
    return Submission(database, assembly.principals, assembly.dispatcher, settings.smtp_certificate, settings.smtp_key)


def main() -> None:
    faulthandler.enable()
    settings = configuration.load()
    log.configure("mail", settings.log_level)
    hints.start(publisher(make_celery(settings.broker)))
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
