"""Long polls: an agent's call waits here until its host has something new."""

from __future__ import annotations

import asyncio

from controlplane.fleet.desired import CHANNEL
from controlplane.state.listen import Listener


class Waiting:
    """Wakes the polls of a host when Postgres tells that its desired state changed."""

    def __init__(self, listener: Listener) -> None:
        self._events: dict[str, set[asyncio.Event]] = {}
        listener.subscribe(CHANNEL, self._changed, on_back=self._all_changed)

    def _changed(self, host: str) -> None:
        for event in self._events.get(host, ()):
            event.set()

    def _all_changed(self) -> None:
        # Notifications may have been missed while the connection was down: let every poll look again.
        for host in self._events:
            self._changed(host)

    def expect(self, host: str) -> asyncio.Event:
        """An event that is set at the next change. Take it before looking, so that no change falls between."""
        event = asyncio.Event()
        self._events.setdefault(host, set()).add(event)
        return event

    def done(self, host: str, event: asyncio.Event) -> None:
        """Stop expecting."""
        events = self._events.get(host, set())
        events.discard(event)
        if not events:
            self._events.pop(host, None)
