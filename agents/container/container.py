"""Keeps one container as its document says."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from agents.container.driver import Containers, Lost, Seen
from agents.container.engine import Unavailable
from agents.container.images import Images
from agents.contract.container import Container, ContainerReport
from agents.contract.exchange import Change
from agents.runtime.files import write_durably
from agents.runtime.ledger import Key, Ledger
from agents.runtime.reporter import Reporter

T = TypeVar("T")

_VANISHED = "it was removed from Docker by somebody else"
_NEVER = "it was never started"


@dataclass
class Tools:
    """What containers are made with on this host. `made` is a folder with a file for every one that was made."""

    ledger: Ledger
    containers: Containers
    images: Images
    reporter: Reporter
    made: Path


class ContainerKeeper:
    """Applies one container's document, again and again."""

    def __init__(self, id: str, tools: Tools) -> None:
        self.id = id
        self._tools = tools
        self._key = Key("container", id)
        self._made = tools.made / id
        self._spans: dict[str, float] = {}

    async def apply(self) -> bool:
        """Make the container as its document says. False when it is gone for good."""
        change = self._tools.ledger.get(self._key)
        if change is None:
            return False
        if change.document is None:
            return await self._remove(change)
        assert isinstance(change.document, Container)
        seen = await self._tools.containers.look(self.id)
        seen = await (self._keep_running(change.document, seen) if change.document.run else self._keep_stopped(seen))
        self._tell(seen)
        self._tools.reporter.applied(self._key, change.generation)
        return True

    def failed(self, error: Exception) -> None:
        """Report that the document could not be applied; what only has to be waited for is no failure."""
        change = self._tools.ledger.get(self._key)
        if change is not None and change.document is not None and not isinstance(error, Unavailable | Lost):
            self._tools.reporter.seen(ContainerReport(id=self.id, state="failed", reason=str(error)[:1000]))

    async def _keep_running(self, wanted: Container, seen: Seen | None) -> Seen | None:
        containers = self._tools.containers
        if seen is None and self._made.exists():
            return Seen("exited", None, _VANISHED)
        if seen is None or seen.state == "created":
            self._spans = {}
            self._tools.reporter.seen(ContainerReport(id=self.id, state="starting"))
            if seen is None:
                image = await self._timed("image", self._tools.images.name(wanted.image))
                await self._timed("create", containers.create(wanted, image))
            # From here on it counts as made, so that one that vanishes is not run a second time.
            write_durably(self._made, b"")
            try:
                await self._timed("start", containers.start(self.id))
            except Lost:
                self._made.unlink(missing_ok=True)
                raise
            return await containers.look(self.id)
        return seen

    async def _keep_stopped(self, seen: Seen | None) -> Seen:
        if seen is not None and seen.state == "running":
            await self._tools.containers.stop(self.id)
            seen = await self._tools.containers.look(self.id)
        if seen is None:
            return Seen("exited", None, _VANISHED if self._made.exists() else _NEVER)
        return seen if seen.state == "exited" else Seen("exited", None, seen.reason or _NEVER)

    async def _remove(self, change: Change) -> bool:
        seen = await self._tools.containers.look(self.id)
        if seen is not None:
            if seen.state == "running":
                await self._tools.containers.stop(self.id)
            await self._tools.containers.remove(self.id)
        if self._tools.ledger.get(self._key) is not change:
            return True
        self._made.unlink(missing_ok=True)
        self._tools.ledger.forget(self._key)
        self._tools.reporter.seen(ContainerReport(id=self.id, state="absent"))
        self._tools.reporter.applied(self._key, change.generation)
        return False

    def _tell(self, seen: Seen | None) -> None:
        if seen is None:
            return
        state: Literal["exited", "running"] = "exited" if seen.state == "exited" else "running"
        self._tools.reporter.seen(
            ContainerReport(
                id=self.id,
                state=state,
                reason=seen.reason,
                exit_code=seen.exit_code,
                spans=dict(self._spans),
            )
        )

    async def _timed(self, name: str, step: Awaitable[T]) -> T:
        begun = time.monotonic()
        try:
            return await step
        finally:
            self._spans[name] = round((time.monotonic() - begun) * 1000, 1)
