"""One supervised process: start, watch, start again, stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from controlplane import settings as configuration
from controlplane.state.embedded import Owner
from controlplane.supervise.logfiles import LogFile
from controlplane.supervise.notify import Listener
from controlplane.supervise.spec import Probe, Spec

log = logging.getLogger(__name__)

State = Literal["waiting", "starting", "ready", "restarting", "done", "failed", "stopping", "stopped"]

BACKOFF = (0.0, 0.1, 0.3, 0.7, 1.5, 2.0)
"""Seconds before the n-th start in a row; the last one repeats."""
STABLE_SECONDS = 10.0
"""A process that was ready for so long starts over at the head of BACKOFF."""
_PROBE_INTERVAL = 0.05
_LIVENESS_INTERVAL = 2.0
_WANTED_INTERVAL = 0.25


@dataclass(slots=True)
class Status:
    """What `celaje status` shows of a process."""

    name: str
    state: State = "waiting"
    pid: int | None = None
    since: float = 0.0
    restarts: int = 0
    reason: str = ""


class Process:
    """Keeps one Spec running until it is told to stop. `changed` is called at every change of state."""

    def __init__(
        self, spec: Spec, *, log_file: LogFile, notify_path: Path, hang_seconds: float, changed: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.status = Status(spec.name)
        self.ready = asyncio.Event()
        self._log_file = log_file
        self._listener = Listener(notify_path, self._heard)
        self._hang_seconds = hang_seconds
        self._changed = changed
        self._child: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._last_sign = 0.0
        self._watched = False
        self._said_ready = False

    def start(self) -> None:
        """Begin to keep it running."""
        self._task = asyncio.create_task(self._keep(), name=f"process {self.spec.name}")

    async def stop(self) -> None:
        """Ask it to end, and kill it when it does not within its time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._child is not None and self._child.returncode is None:
            self._enter("stopping")
            self._signal(self.spec.stop_signal)
            try:
                await asyncio.wait_for(self._child.wait(), self.spec.stop_seconds)
            except TimeoutError:
                log.warning("%s did not stop: killed", self.spec.name)
                self._signal(signal.SIGKILL)
                await self._child.wait()
        self._listener.close()
        self._enter("stopped")

    def _enter(self, state: State, reason: str = "") -> None:
        self.status.state, self.status.since, self.status.reason = state, time.time(), reason
        self.status.pid = self._child.pid if self._child is not None and self._child.returncode is None else None
        if state in ("ready", "done"):
            self.ready.set()
        elif state != "stopping":
            self.ready.clear()
        log.info("%s is %s", self.spec.name, state, extra={"pid": self.status.pid, "reason": reason})
        self._changed()

    async def _keep(self) -> None:
        attempt = 0
        await self._listener.open(self.spec.owner or Owner.current())
        while True:
            await self._until_wanted()
            await asyncio.sleep(BACKOFF[min(attempt, len(BACKOFF) - 1)])
            begun = time.monotonic()
            reason = await self._run_once()
            if self.spec.once and not reason:
                return self._enter("done")
            stable = self.ready.is_set() and time.monotonic() - begun > STABLE_SECONDS
            attempt = 0 if stable or not self._wanted() else attempt + 1
            self.status.restarts += 1
            self._enter("restarting", reason)

    def _wanted(self) -> bool:
        return self.spec.wanted is None or self.spec.wanted.exists()

    async def _until_wanted(self) -> None:
        if not self._wanted():
            self._enter("done", "nothing needs it")
            while not self._wanted():
                await asyncio.sleep(_WANTED_INTERVAL)

    async def _until_unwanted(self) -> None:
        """Have it end when nothing needs it any longer."""
        while self._wanted():
            await asyncio.sleep(_WANTED_INTERVAL)
        self._signal(self.spec.stop_signal)
        await asyncio.sleep(self.spec.stop_seconds)
        self._signal(signal.SIGKILL)

    async def _run_once(self) -> str:
        """Start it and wait for its end. Returns why it ended; empty for status 0 of a step that runs once."""
        try:
            if self.spec.prepare is not None:
                await asyncio.to_thread(self.spec.prepare)
            self._said_ready = False
            self._child = await self._spawn()
        except Exception as error:
            log.exception("cannot start %s", self.spec.name)
            return f"cannot start: {getattr(error, 'stderr', '') or error}"[:500]
        self._watched = False
        self._enter("starting")
        if self._said_ready:
            self._enter("ready")
        watching = [asyncio.create_task(self._watch(self._child))]
        if self.spec.wanted is not None:
            watching.append(asyncio.create_task(self._until_unwanted()))
        try:
            status = await self._child.wait()
        finally:
            for task in watching:
                task.cancel()
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        if status == 0:
            return "" if self.spec.once else "it ended"
        last_words = "".join(self._log_file.tail(1))[-300:]
        return f"exited with status {status}: {last_words}"

    async def _spawn(self) -> asyncio.subprocess.Process:
        owner = self.spec.owner
        drop = owner if owner is not None and owner.drop else None
        with self._log_file.open() as output:
            return await asyncio.create_subprocess_exec(
                *self.spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=configuration.child_environment(**self.spec.environment, NOTIFY_SOCKET=str(self._listener.path)),
                cwd="/",
                pass_fds=self.spec.sockets,
                start_new_session=True,
                user=drop.uid if drop else None,
                group=drop.gid if drop else None,
                extra_groups=[] if drop else None,
            )

    async def _watch(self, child: asyncio.subprocess.Process) -> None:
        """Wait until it is ready, then kill it when it stops giving signs of life."""
        if self.spec.once:
            return
        self._last_sign = time.monotonic()
        if self.spec.probe is not None:
            while not await self._answers(self.spec.probe):
                await asyncio.sleep(_PROBE_INTERVAL)
            self._enter("ready")
        while True:
            slept = time.monotonic()
            await asyncio.sleep(_LIVENESS_INTERVAL)
            if time.monotonic() - slept > 2 * _LIVENESS_INTERVAL:
                self._last_sign = time.monotonic()  # it was us who stood still, not the process
            if self.spec.probe is not None and await self._answers(self.spec.probe):
                self._last_sign = time.monotonic()
            silent = time.monotonic() - self._last_sign
            if silent > self._hang_seconds and (self.spec.probe is not None or self._watched):
                log.error("%s hangs: no sign of life for %.0f s", self.spec.name, silent)
                child.send_signal(signal.SIGABRT)
                await asyncio.sleep(1)
                with contextlib.suppress(ProcessLookupError):
                    child.kill()

    async def _answers(self, probe: Probe) -> bool:
        try:
            return await probe()
        except OSError as error:  # we are out of memory or descriptors, perhaps: that says nothing of the process
            log.warning("cannot probe %s: %s", self.spec.name, error)
            return False

    def _heard(self, line: str) -> None:
        if line == "READY=1" and self.spec.probe is None:
            # On a busy machine it may come before we have noticed that the process was started.
            self._said_ready = True
            if self.status.state == "starting":
                self._enter("ready")
        if line == "WATCHDOG=1":
            self._watched, self._last_sign = True, time.monotonic()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._child is not None:
                self._child.send_signal(number)
