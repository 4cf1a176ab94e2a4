"""Runs the stages of a cloud."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from controlplane.settings import Settings
from controlplane.supervise import leftovers, source
from controlplane.supervise.logfiles import LogFile
from controlplane.supervise.process import Process
from controlplane.supervise.spec import Spec, Stage

log = logging.getLogger(__name__)

_ROTATE_SECONDS = 5.0


class Supervisor:
    """Starts stages in order, keeps their processes running, stops them in reverse order."""

    def __init__(self, settings: Settings, stages: list[Stage]) -> None:
        self._settings = settings
        self._stages = [[self._process(spec) for spec in stage] for stage in stages]
        self._marks = settings.home / "processes.json"
        self._source = source.fingerprint()
        self._listeners: set[Callable[[], None]] = set()
        self.stopping = asyncio.Event()
        """Set when somebody asks the cloud to stop."""
        self.started = asyncio.Event()
        """Set when every process has been ready once."""

    def _process(self, spec: Spec) -> Process:
        return Process(
            spec,
            log_file=LogFile(self._settings.logs, spec.name, self._settings.log_bytes),
            notify_path=self._settings.home / "notify" / spec.name,
            hang_seconds=self._settings.hang_seconds,
            changed=self._changed,
        )

    @property
    def processes(self) -> list[Process]:
        return [process for stage in self._stages for process in stage]

    @property
    def ready(self) -> bool:
        """True when every process is ready (or done)."""
        return all(process.ready.is_set() for process in self.processes)

    def status(self) -> dict[str, Any]:
        """The document that `celaje status` prints."""
        return {
            "ready": self.ready,
            "stopping": self.stopping.is_set(),
            "endpoint": self._settings.endpoint,
            "source": self._source,
            "processes": [asdict(process.status) for process in self.processes],
        }

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` at every change, until the returned function is called."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    async def run(self) -> None:
        """Start everything, then wait for `stopping` and stop everything."""
        starting = asyncio.create_task(self._start())
        rotating = asyncio.create_task(self._rotate())
        try:
            await self.stopping.wait()
        finally:
            starting.cancel()
            rotating.cancel()
            await asyncio.wait([starting, rotating])
            await self._stop()

    async def _start(self) -> None:
        for stage in self._stages:
            for process in stage:
                process.start()
            for process in stage:
                await process.ready.wait()
        self.started.set()
        log.info("the cloud is ready at %s", self._settings.endpoint)

    async def _stop(self) -> None:
        for stage in reversed(self._stages):
            await asyncio.gather(*(process.stop() for process in stage))
        self._marks.unlink(missing_ok=True)

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(_ROTATE_SECONDS)
            for name in ("supervisor", *(process.spec.name for process in self.processes)):
                log_file = LogFile(self._settings.logs, name, self._settings.log_bytes)
                await asyncio.to_thread(log_file.rotate_when_full)

    def _changed(self) -> None:
        marks = []
        for process in self.processes:
            pid = process.status.pid
            if pid is not None and (started := leftovers.started(pid)) is not None:
                marks.append(leftovers.Mark(process.spec.name, pid, started, process.spec.stop_signal))
        try:
            leftovers.write(self._marks, marks)
        except OSError as error:  # a full disk must not keep us from supervising
            log.warning("cannot note the running processes: %s", error)
        for listener in tuple(self._listeners):
            listener()
