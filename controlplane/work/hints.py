"""Celery messages that say "look at this key now". They may be lost: the sweeper finds what is due.

Sending never delays a request: a thread of its own sends, and while the broker is dead hints are thrown away.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

_WAITING = 10_000
_PAUSE_SECONDS = 0.5


class Hints:
    """One a process. Until `start` it throws hints away."""

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[str, str]] = queue.Queue(_WAITING)
        self._publish: Callable[[str, str], None] | None = None

    def start(self, publish: Callable[[str, str], None]) -> None:
        """Begin to send. `publish(kind, key)` may block for a while and may raise."""
        self._publish = publish
        threading.Thread(target=self._run, name="hints", daemon=True).start()

    def send(self, kind: str, key: str) -> None:
        """Queue a hint; never blocks, never raises."""
        if self._publish is not None:
            try:
                self._queue.put_nowait((kind, key))
            except queue.Full:
                log.debug("hint for %s %s dropped: too many wait", kind, key)

    def _run(self) -> None:
        assert self._publish is not None
        while True:
            kind, key = self._queue.get()
            try:
                self._publish(kind, key)
            except Exception as error:  # whatever a broker client raises: the sweeper makes up for it
                log.warning("the broker takes no hints: %r", error)
                self._drop_all()
                time.sleep(_PAUSE_SECONDS)

    def _drop_all(self) -> None:
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return


hints = Hints()
