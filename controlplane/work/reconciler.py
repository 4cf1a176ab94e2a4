"""How a service declares a reconciler."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from controlplane.core.arn import Arn
from controlplane.core.context import Context, Runtime, Unit
from controlplane.core.principal import service_principal
from controlplane.state.database import Database

ROOT = Path(__file__).parent.parent

STANDING = "*"
"""The key of a standing reconciler."""


class Gone:
    """Answer of a reconciler whose thing is no more: the key gets no further attention until it is woken again."""


GONE = Gone()


@dataclass(frozen=True, slots=True)
class Again:
    """Answer of a reconciler that must look again in so many seconds."""

    seconds: float


Outcome = Again | Gone | None


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a reconciler for one key. It opens a unit of work for each step, and none across an engine's call."""

    key: str
    request_id: str
    database: Database
    engines: Mapping[str, Any] = field(default_factory=dict)
    runtime: Runtime | None = None

    @asynccontextmanager
    async def step(self) -> AsyncIterator[Unit]:
        """A unit of work, committed when the block ends well."""
        async with self.database.unit() as unit:
            yield unit

    def engine(self, kind: str) -> Any:
        """The configured engine of a kind, such as `blobs`."""
        return self.engines[kind]

    def acting(self, db: Unit, service: str, source_arn: str, region: str = "", account_id: str = "") -> Context:
        """The means to call operations as a service (`sns.amazonaws.com`) for the sake of one of its resources:

            await run.acting(db, "sns.amazonaws.com", topic_arn).call("sqs", "SendMessage", {...})

        Resource policies decide; they see `aws:SourceArn` and `aws:SourceAccount`. `region` and
        `account_id` are the ARN's where it names them. What the call writes is part of the step `db`.
        """
        source = Arn.parse(source_arn)
        owner = source.account or account_id
        assert self.runtime is not None, "this runner was given no services"
        return Context(
            request_id=self.request_id,
            account_id=owner,
            region=region or source.region or "us-east-1",
            service="",
            operation="",
            principal=service_principal(service, owner),
            db=db,
            runtime=self.runtime,
            source_ip=service,
            user_agent=service,
            facts={"aws:SourceArn": source_arn, "aws:SourceAccount": owner},
        )


Function = Callable[[Run, str], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Reconciler:
    """A function that makes what is match what is wanted, for one key."""

    kind: str
    function: Function
    every: float | None
    standing: bool


RECONCILERS: dict[str, Reconciler] = {}

F = TypeVar("F", bound=Function)


def reconciler(kind: str, *, every: float | None = None, standing: bool = False) -> Callable[[F], F]:
    """Declare the reconciler of a kind of work, such as `ec2.instance`.

    It runs when a key is woken, and then every `every` seconds until it answers GONE; without `every`, until it
    answers None. `standing` gives it one key that is always there, for jobs that belong to no single thing.
    """

    def declare(function: F) -> F:
        if kind in RECONCILERS:
            raise ValueError(f"two reconcilers for {kind!r}")
        RECONCILERS[kind] = Reconciler(kind, function, every, standing)
        return function

    return declare


def import_all_reconcilers() -> None:
    """Import each `reconcilers.py` of the control plane."""
    for path in sorted(ROOT.rglob("reconcilers.py")):
        importlib.import_module(".".join(("controlplane", *path.relative_to(ROOT).with_suffix("").parts)))
