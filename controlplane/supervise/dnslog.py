"""The process that writes query logs of hosted zones: dnsdist tells it of each answer. It runs while a zone is logged.

python -m controlplane.supervise.dnslog
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging

from controlplane import settings as configuration
from controlplane.core import log as logs
from controlplane.engines.dns import dnstap, front
from controlplane.engines.dns.contract import Question
from controlplane.gateway.assembly import Assembly
from controlplane.services.route53.log_delivery import Delivery
from controlplane.settings import Settings
from controlplane.state.database import Database
from controlplane.supervise.notify import live
from controlplane.work.broker import make_celery, publisher
from controlplane.work.hints import hints
from controlplane.work.reconciler import Run

log = logging.getLogger(__name__)

_CONNECTIONS = 6
_MOST_FRAMES, _MOST_BYTES = 50_000, 64 << 20
_ROUND_SECONDS = 2.0
_AT_A_TIME = 200
"""Frames that are read before others get their turn."""


async def serve(settings: Settings) -> None:
    """Listen until a signal comes."""
    database = await Database.open(settings.database, generations=settings.generations, size=_CONNECTIONS)
    assembly = Assembly(settings, database)
    assembly.start()
    delivery = Delivery(Run("", "", database, assembly.engines, assembly.dispatcher))
    tap = dnstap.Tap(_MOST_FRAMES, _MOST_BYTES, delivery.whose)
    server = await tap.listen(front.tap(settings.run))
    await live(_deliver(tap, delivery))
    server.close()
    await assembly.stop()
    await database.close()


async def _deliver(tap: dnstap.Tap, delivery: Delivery) -> None:
    while True:
        await asyncio.sleep(_ROUND_SECONDS)
        try:
            await delivery.look()
        except Exception as error:  # whatever a database raises that is away: what is told meanwhile waits
            log.warning("cannot look which zones are logged: %r", error)
            continue
        frames, dropped = tap.fetch()
        for zone, number in dropped.items():
            log.warning("%d answers of %s came too fast to be logged", number, zone or "unknown zones")
        for first in range(0, len(frames), _AT_A_TIME):
            found = (dnstap.question(frame) for frame in frames[first : first + _AT_A_TIME])
            delivery.take([question for question in found if isinstance(question, Question)])
            await asyncio.sleep(0)
        delivery.send()


def main() -> None:
    faulthandler.enable()
    settings = configuration.load()
    logs.configure("dns-log", settings.log_level)
    hints.start(publisher(make_celery(settings.broker)))
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
