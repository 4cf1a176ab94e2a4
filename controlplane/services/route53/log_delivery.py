"""Brings lines of query logs to CloudWatch Logs. Whatever that takes, at most so many lines wait: more are dropped."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from controlplane.core.errors import AwsError
from controlplane.core.ids import request_id
from controlplane.engines.dns.contract import Dns, Question
from controlplane.services.route53 import query_logs
from controlplane.services.route53.query_logs import SERVICE, Event
from controlplane.services.route53.zones import arn
from controlplane.work.reconciler import Run

log = logging.getLogger(__name__)

MOST_WAITING = 20_000
"""Lines of one zone."""
_BATCH = 900
"""Lines of a call: with the longest names, just what PutLogEvents takes."""
_CALL_SECONDS = 10.0
_AT_ONCE = 4


class Delivery:
    """What waits for CloudWatch Logs, by configuration. `run` lends database and services."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._dns: Dns = run.engine("dns")
        self._served: Mapping[str, str] = {}
        self._agreed: Mapping[str, str] = {}
        self._configs: dict[str, Any] = {}
        self._waiting: dict[str, deque[Event]] = {}
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._dropped: Counter[str] = Counter()
        self._refused: dict[str, str] = {}

    async def look(self) -> None:
        """Find out which zones are logged, and answer, now. Whose zone a name was in must be the same at two looks in a
        row: of what was asked in between it is not known whose it was."""
        async with self._run.step() as db:
            configs = await query_logs.logged(db)
            owners = await self._dns.owners(db, query_logs.zone_names(configs))
        served = query_logs.served(owners, configs)
        self._agreed = {
            name: served[name] if served.get(name) == self._served.get(name) else ""
            for name in served.keys() | self._served.keys()
        }
        self._served = served
        before, self._configs = self._configs, {config["zone_id"]: config for config in configs}
        for zone_id in [*self._waiting]:
            # What waits is for the configuration of that time; whoever sends it now ends with it.
            if zone_id not in self._configs or self._configs[zone_id]["id"] != before[zone_id]["id"]:
                self._waiting.pop(zone_id).clear()
                self._refused.pop(zone_id, None)

    def whose(self, name: str) -> str:
        """The zone that a name (small letters) is in, as far as is known; empty: none that is looked after."""
        return query_logs.nearest(self._served, name)

    def take(self, questions: Sequence[Question]) -> None:
        """Sort out what was asked since the look before the last one."""
        for question in questions:
            zone_id = query_logs.zone_of(self._agreed, question)
            if not zone_id:
                continue
            waiting = self._waiting.setdefault(zone_id, deque())
            if len(waiting) < MOST_WAITING:
                waiting.append(query_logs.event(zone_id, question))
            else:
                self._dropped[zone_id] += 1

    def send(self) -> None:
        """Have what waits be sent, unless it is being sent already, and say what was dropped."""
        for zone_id, waiting in self._waiting.items():
            if waiting and zone_id not in self._sending:
                self._sending[zone_id] = asyncio.create_task(self._send_all(self._configs[zone_id], waiting))
        for zone_id, number in self._dropped.items():
            log.warning("%d lines of the query log of %s were dropped", number, zone_id)
        self._dropped.clear()

    async def _send_all(self, config: Any, waiting: deque[Event]) -> None:
        """Until nothing waits. What nobody would ever take (the group is gone, its policy has changed) is dropped; what
        somebody may take later waits for the next round."""
        zone_id, reason = config["zone_id"], ""
        try:
            while waiting:
                await self._send_some(config, waiting)
        except AwsError as error:
            reason = error.code
            if error.status < 500 and error.code != "ThrottlingException":
                self._dropped[zone_id] += len(waiting)
                waiting.clear()
        except Exception as error:  # whatever a database raises that is away
            reason = repr(error)
        if reason and self._refused.get(zone_id) != reason:
            log.warning("the query log of %s is not taken: %s", zone_id, reason)
        self._refused[zone_id] = reason
        del self._sending[zone_id]

    async def _send_some(self, config: Any, waiting: deque[Event]) -> None:
        batch = list(islice(waiting, _BATCH))
        async with self._slots, asyncio.timeout(_CALL_SECONDS):
            await self._write(config, batch)
        for _ in range(min(len(batch), len(waiting))):  # none is left where the configuration has been deleted
            waiting.popleft()

    async def _write(self, config: Any, events: Sequence[Event]) -> None:
        run = Run("", request_id(), self._run.database, self._run.engines, self._run.runtime)
        assert run.runtime is not None
        region = run.runtime.cloud.regions[0]
        async with run.step() as db:
            where = arn(config["zone_id"])
            acting = run.acting(db, SERVICE, where, region=region, account_id=config["account_id"])
            await query_logs.write(acting, config, events)
