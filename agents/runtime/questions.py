"""What guests asked the resolvers of their VPCs: told to the control plane in batches."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque

import httpx

from agents.contract.queries import Queries, Query
from agents.runtime.client import Client, Unauthorized

log = logging.getLogger(__name__)

_PERIOD = 1.0
_MOST_BYTES = 8 * 1024 * 1024
"""So much is kept while the control plane is away, then the oldest are lost."""
_BATCH_BYTES = 100_000
"""Below what the control plane takes in one request."""
_MOST_A_SECOND = 1000
"""Of one VPC; what its guests ask beyond that is not logged."""


class Questions:
    """Keeps questions in memory until they are told."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._kept: deque[tuple[Query, int]] = deque()
        self._bytes = 0
        self._second = 0
        self._counted: Counter[str] = Counter()

    def add(self, query: Query) -> None:
        """One more."""
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._counted.clear()
        self._counted[query.vpc] += 1
        if self._counted[query.vpc] > _MOST_A_SECOND:
            return
        size = len(query.model_dump_json().encode()) + 1
        self._kept.append((query, size))
        self._bytes += size
        while self._bytes > _MOST_BYTES:
            self._take()

    async def run(self) -> None:
        """Tell what there is, once a second, until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD)
            while self._kept:
                batch = self._batch()
                try:
                    await self._client.queries(Queries(queries=tuple(query for query, _ in batch)))
                except (httpx.HTTPError, Unauthorized) as error:
                    if isinstance(error, httpx.HTTPStatusError) and error.response.is_client_error:
                        log.warning("the control plane does not take %d questions of guests: %s", len(batch), error)
                        continue
                    log.debug("questions of guests: %s", error)
                    self._put_back(batch)
                    break

    def _take(self) -> tuple[Query, int]:
        query, size = self._kept.popleft()
        self._bytes -= size
        return query, size

    def _batch(self) -> list[tuple[Query, int]]:
        """The oldest, at least one."""
        batch = [self._take()]
        room = _BATCH_BYTES - batch[0][1]
        while self._kept and self._kept[0][1] <= room:
            batch.append(self._take())
            room -= batch[-1][1]
        return batch

    def _put_back(self, batch: list[tuple[Query, int]]) -> None:
        for query, size in reversed(batch):
            if self._bytes + size > _MOST_BYTES:
                return
            self._kept.appendleft((query, size))
            self._bytes += size
