"""Counts requests and where their time goes, in plain numbers, and shows all processes' counts as Prometheus text.

Every gateway process writes what it has counted to a file of its own once a while; whichever process is asked reads
them all. So the hot path only adds numbers up, and a process that dies takes nothing of the others with it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from controlplane.core.context import Unit
from controlplane.fleet import observed
from controlplane.gateway.exchange import Exchange
from controlplane.work import queries as work

log = logging.getLogger(__name__)

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets, in seconds."""
WRITE_SECONDS = 2.0
STALE_SECONDS = 30.0
"""A file that has not been written for so long is of a process that is no more."""


class Count:
    """Of one operation and status: how many, how long in all, how many in each bucket, seconds by step."""

    __slots__ = ("buckets", "number", "seconds", "steps")

    def __init__(self) -> None:
        self.number = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.steps: dict[str, float] = {}


class Meter:
    """The counts of this process, written to `folder` under its name."""

    def __init__(self, folder: Path, process: str) -> None:
        self._folder = folder
        self._process = process
        self._counts: dict[tuple[str, str, int], Count] = {}

    def count(self, exchange: Exchange, status: int, seconds: float) -> None:
        """Add one request. Names are those of the models, so that no caller can make up new ones."""
        route = exchange.route
        key = (route.service.name, route.operation.name, status) if route and route.operation else ("", "", status)
        counted = self._counts.get(key)
        if counted is None:
            counted = self._counts[key] = Count()
        counted.number += 1
        counted.seconds += seconds
        counted.buckets[bisect_left(BOUNDS, seconds)] += 1
        steps = counted.steps
        for name, took in exchange.spans.items():
            steps[name] = steps.get(name, 0.0) + took

    async def run(self) -> None:
        """Write the counts from time to time until cancelled."""
        while True:
            try:
                self.write()
            except OSError as error:
                log.warning("cannot write what was counted: %s", error)
            await asyncio.sleep(WRITE_SECONDS)

    def write(self) -> None:
        """Write the counts now."""
        self._folder.mkdir(exist_ok=True)
        rows = [[*key, c.number, c.seconds, c.buckets, c.steps] for key, c in self._counts.items()]
        aside = self._folder / f".{self._process}"
        aside.write_text(json.dumps(rows))
        aside.rename(self._folder / f"{self._process}.json")

    async def text(self, db: Unit) -> bytes:
        """What all processes have counted, the work that waits, and how long machines took to start."""
        self.write()
        registry = CollectorRegistry()
        registry.register(_Requests(self._folder))
        registry.register(_Given(await _states(db)))
        return generate_latest(registry)


class _Given(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class _Requests(Collector):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        labels = ["process", "service", "operation", "status"]
        requests = HistogramMetricFamily("celaje_request_seconds", "Requests of AWS's APIs.", labels=labels)
        steps = CounterMetricFamily(
            "celaje_step_seconds", "Time in each step of a request; authorize is part of operate.",
            labels=["process", "service", "operation", "step"],
        )  # fmt: skip
        for process, rows in _written(self._folder):
            by_step: dict[tuple[str, str, str], float] = {}
            for service, operation, status, _, seconds, buckets, took in rows:
                total, told = 0, []
                for bound, number in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
                    total += number
                    told.append((bound, total))
                requests.add_metric([process, service, operation, str(status)], told, seconds)
                for step, spent in took.items():
                    key = (service, operation, step)
                    by_step[key] = by_step.get(key, 0.0) + spent
            for key, spent in by_step.items():
                steps.add_metric([process, *key], spent)
        yield requests
        yield steps


def _written(folder: Path) -> Iterator[tuple[str, list[Any]]]:
    for path in sorted(folder.glob("*.json")):
        if time.time() - path.stat().st_mtime < STALE_SECONDS:
            yield path.stem, json.loads(path.read_text())


async def _states(db: Unit) -> list[Metric]:
    waiting = GaugeMetricFamily("celaje_work", "Work items by what they do.", labels=["kind", "state"])
    for row in await work.depth(db):
        for state in ("due", "running", "failing"):
            waiting.add_metric([row["kind"], state], row[state])
    launches = GaugeMetricFamily(
        "celaje_launch_step_seconds", "Mean time of each step of the last start, over the machines there are.",
        labels=["kind", "step"],
    )  # fmt: skip
    for row in await observed.launch_steps(db):
        launches.add_metric([row["kind"], row["step"]], row["seconds"])
    return [waiting, launches]
