"""What guests asked the resolvers of their VPCs: told to the control plane in batches."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

import httpx

from agents.contract.queries import Queries, Query
from agents.runtime.client import Client, Unauthorized

log = logging.getLogger(__name__)

_PERIOD = 1.0
_MOST, _BATCH = 20_000, 1000
"""So many are kept while the control plane is away, then the oldest are lost."""


class Questions:
    """Keeps questions in memory until they are told."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._kept: deque[Query] = deque(maxlen=_MOST)

    def add(self, query: Query) -> None:
        """One more."""
        self._kept.append(query)

    async def run(self) -> None:
        """Tell what there is, once a second, until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD)
            while self._kept:
                batch = [self._kept.popleft() for _ in range(min(_BATCH, len(self._kept)))]
                try:
                    await self._client.queries(Queries(queries=tuple(batch)))
                except (httpx.HTTPError, Unauthorized) as error:
                    log.debug("questions of guests: %s", error)
                    room = _MOST - len(self._kept)
                    self._kept.extendleft(reversed(batch[-room:] if room else ()))
                    break
