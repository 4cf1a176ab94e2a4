"""Credentials of the machines' roles, asked of the control plane and kept until shortly before they expire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from agents.contract.exchange import Credentials

_EARLY = timedelta(minutes=5)


class CredentialCache:
    """`fetch` asks the control plane for a machine's credentials; None when it has no role."""

    def __init__(self, fetch: Callable[[str], Awaitable[Credentials | None]]) -> None:
        self._fetch = fetch
        self._kept: dict[tuple[str, str], Credentials] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, machine: str, role: str) -> Credentials | None:
        """Credentials that are good for five more minutes, or the last known ones while the control plane is away."""
        async with self._locks.setdefault(machine, asyncio.Lock()):
            kept = self._kept.get((machine, role))
            if kept is not None and _left(kept) > _EARLY:
                return kept
            try:
                fresh = await self._fetch(machine)
            except Exception:
                if kept is not None and _left(kept) > timedelta():
                    return kept
                raise
            self.forget(machine)
            if fresh is not None:
                self._kept[machine, role] = fresh
            return fresh

    def forget(self, machine: str) -> None:
        """Drop what is kept for a machine, when it is removed or its role changes."""
        for key in [key for key in self._kept if key[0] == machine]:
            del self._kept[key]


def _left(credentials: Credentials) -> timedelta:
    return datetime.fromisoformat(credentials.expiration).astimezone(UTC) - datetime.now(UTC)
