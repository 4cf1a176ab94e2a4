"""The worker process: one event loop in a thread runs the reconcilers, and Celery hands it keys.

python -m controlplane.worker worker    receives hints and runs reconcilers
python -m controlplane.worker beat      ticks once a second, whereupon a worker looks for what is due

The messages are hints; what must be done stands in the work table.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import sys
import threading
import time

import uvloop
from celery import Celery, signals

from controlplane import settings as configuration
from controlplane.core import log as logs
from controlplane.gateway.assembly import Assembly
from controlplane.settings import Settings
from controlplane.state.database import Database
from controlplane.supervise.notify import keep_alive
from controlplane.work.broker import RUN, SWEEP, make_celery, publisher
from controlplane.work.hints import hints
from controlplane.work.reconciler import RECONCILERS, import_all_reconcilers
from controlplane.work.runner import Runner

log = logging.getLogger(__name__)

_START_SECONDS = 120.0
_STOP_SECONDS = 6.0
_SILENT_SECONDS = 15.0


class Worker:
    """Celery's consumer in the main thread, the runner on a loop in another."""

    def __init__(self, settings: Settings, celery: Celery) -> None:
        self._settings = settings
        self._celery = celery
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="reconcilers", daemon=True)
        self._runner: Runner | None = None
        self._assembly: Assembly | None = None
        self._last_tick = time.monotonic()
        self._stuck = False
        self._watching: tuple[asyncio.Task[None], ...] = ()

    def run(self) -> None:
        """Serve until a signal comes."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_START_SECONDS)
        self._celery.task(self._hint, name=RUN)
        self._celery.task(self._tick, name=SWEEP)
        hints.start(publisher(self._celery))
        name = f"--hostname=celaje@{self._settings.host_name}"
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        self._celery.worker_main(
            ["--quiet", "worker", "--pool=solo", *quiet, name, f"--loglevel={self._settings.log_level}"]
        )
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(_STOP_SECONDS)

    async def _start(self) -> None:
        import_all_reconcilers()
        database = await Database.open(
            self._settings.database, generations=self._settings.generations, size=self._settings.database_connections
        )
        self._assembly = Assembly(self._settings, database)
        self._assembly.start()
        self._runner = Runner(
            database,
            RECONCILERS,
            owner=self._settings.host_name,
            concurrency=self._settings.work_concurrency,
            engines=self._assembly.engines,
            runtime=self._assembly.dispatcher,
        )
        await self._runner.start()
        self._watching = (
            asyncio.create_task(keep_alive(lambda: not self._stuck)),
            asyncio.create_task(self._watch_consumer()),
        )

    async def _stop(self) -> None:
        for task in self._watching:
            task.cancel()
        if self._runner is not None:
            await self._runner.stop()
        if self._assembly is not None:
            await self._assembly.stop()

    async def _watch_consumer(self) -> None:
        """Find out when the consumer is stuck: no tick for long although the broker answers. Then we stop giving signs
        of life, and are replaced."""
        while not self._stuck:
            await asyncio.sleep(_SILENT_SECONDS / 3)
            if time.monotonic() - self._last_tick > _SILENT_SECONDS and await asyncio.to_thread(self._broker_answers):
                self._stuck = time.monotonic() - self._last_tick > _SILENT_SECONDS
        log.error("the broker answers, but no message comes")

    def _broker_answers(self) -> bool:
        try:
            with self._celery.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=1)
        except Exception:  # whatever a broker client raises
            self._last_tick = time.monotonic()  # ticks are due again once it is back
            return False
        return True

    def _hint(self, kind: str, key: str) -> None:
        if self._runner is not None:
            self._loop.call_soon_threadsafe(self._runner.submit, kind, key)

    def _tick(self) -> None:
        self._last_tick = time.monotonic()
        if self._runner is not None:
            asyncio.run_coroutine_threadsafe(self._runner.sweep(), self._loop)


def beat(celery: Celery) -> None:
    """Send ticks until a signal comes."""

    @signals.beat_init.connect(weak=False)  # type: ignore[untyped-decorator]
    def started(**_: object) -> None:
        threading.Thread(target=lambda: asyncio.run(keep_alive()), name="signs of life", daemon=True).start()

    celery.Beat(quiet=True).run()


def main() -> None:
    role = sys.argv[1]
    faulthandler.enable()
    settings = configuration.load()
    logs.configure(role, settings.log_level)
    for noisy in ("celery.worker.strategy", "celery.app.trace", "celery.beat"):  # a line for every tick, every second
        logging.getLogger(noisy).setLevel(logging.WARNING)
    celery = make_celery(settings.broker)
    if role == "beat":
        beat(celery)
    else:
        Worker(settings, celery).run()


if __name__ == "__main__":
    main()
