"""Caches of what changes seldom, one of each a process, exact because every change announces itself.

A service declares its cache once, beside its queries:

    keys: NotifiedCache[Key] = NotifiedCache("celaje_kms")

reads through `await keys.get(ctx.db, name, load)` and calls `await keys.announce(ctx.db, owner)` in the transaction
of each change. The process that wrote forgets before it answers, the others when Postgres tells them, after the
commit. While the listening connection is down nothing is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from controlplane.core.context import Unit
from controlplane.state.listen import Listener

T = TypeVar("T")

EVERY_OWNER = "*"
_LIMIT = 4096


class NotifiedCache(Generic[T]):
    """Values by key, each with the owner (an account, say) whose changes make it void."""

    def __init__(self, channel: str, limit: int = _LIMIT) -> None:
        self._channel = channel
        self._limit = limit
        self._cached: OrderedDict[Hashable, tuple[str, T]] = OrderedDict()
        self._changes = 0
        self._listener: Listener | None = None
        _ALL.append(self)

    def attach(self, listener: Listener) -> None:
        """Keep values as long as this listener hears. Before it starts."""
        self._listener = listener
        listener.subscribe(self._channel, self.forget, on_lost=self.forget_all, on_back=self.forget_all)

    async def get(self, db: Unit, key: Hashable, load: Callable[[], Awaitable[tuple[str, T] | None]]) -> T | None:
        """The value of a key; `load` answers (owner, value), or None for what does not exist, which is not kept.

        A unit of work that announced a change reads past the cache: it sees what may yet be undone.
        """
        if self._channel in db.notified:
            own = await load()
            return own[1] if own else None
        found = self._cached.get(key)
        if found is not None:
            return found[1]
        changes = self._changes
        loaded = await load()
        if loaded is None:
            return None
        if changes == self._changes and self._listener is not None and self._listener.connected:
            if len(self._cached) >= self._limit:
                self._cached.popitem(last=False)
            self._cached[key] = loaded
        return loaded[1]

    async def announce(self, db: Unit, owner: str) -> None:
        """Tell every process, when this is committed, that something of an owner's changed."""
        await db.notify(self._channel, owner)
        db.after_commit(lambda: self.forget(owner))

    def forget(self, owner: str) -> None:
        """Drop what is kept of an owner."""
        if owner == EVERY_OWNER:
            self.forget_all()
            return
        self._changes += 1
        for key in [key for key, (whose, _) in self._cached.items() if whose == owner]:
            del self._cached[key]

    def forget_all(self) -> None:
        self._changes += 1
        self._cached.clear()


_ALL: list[NotifiedCache[Any]] = []


def attach_all(listener: Listener) -> None:
    """Let all caches of this process hear. After the services were imported, before the listener starts."""
    for cache in _ALL:
        cache.attach(listener)
