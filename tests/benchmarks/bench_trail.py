"""What the audit trail costs a call: the gateway's time and, in the database, Postgres'.

Run: python -m tests.benchmarks.bench_trail

The bound is 3 % of a hot operation. The hottest answer some 8,000 requests a second on two cores, all processes
together: 250 microseconds each, so that a call may cost the trail 7.5.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from controlplane.access.trail.recorder import Call, Trail
from controlplane.core.principal import Principal
from controlplane.state import migrate
from controlplane.state.database import Database
from controlplane.supervise.scratch import scratch_postgres

CALLS = 8_000
ROUNDS = 10
BUDGET = 7.5
"""Microseconds."""
ANN = Principal("user", "111111111111", "arn:aws:iam::111111111111:user/ann", "AIDA", "ann", "AKIAANN")
AGENT = "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.11.2"


def same(number: int) -> Call:
    """A read like the one before, as a client that polls sends."""
    body = b"Action=GetUser&Version=2010-05-08&UserName=ann"
    return call("iam", "GetUser", {"UserName": "ann"}, (body, b"/", b""))


def other(number: int) -> Call:
    """A read with parameters of its own."""
    name = f"user-{number}"
    body = f"Action=GetUser&Version=2010-05-08&UserName={name}".encode()
    return call("iam", "GetUser", {"UserName": name}, (body, b"/", b""))


def write(number: int) -> Call:
    """A call that changes something; such calls take a millisecond or more."""
    parameters = {"UserName": f"user-{number}", "Tags": [{"Key": "a", "Value": "b"}]}
    return call("iam", "CreateUser", parameters, None)


def call(model: str, operation: str, parameters: dict[str, Any], fingerprint: Any) -> Call:
    return Call(
        ANN, "111111111111", "us-east-1", model, operation, "6a5e3f52-4a3e-4e0e-9c5c-2b8f1d5c7e11", "127.0.0.1", AGENT,
        parameters, None, None, (), "", fingerprint,
    )  # fmt: skip


async def measure(url: str, make: Any) -> tuple[float, float]:
    """Microseconds a call: of this process, and until Postgres has it."""
    database = await Database.open(url, generations=None)
    trail = Trail(database)
    own = whole = 0.0
    for _ in range(ROUNDS):
        calls = [make(number) for number in range(CALLS)]
        began, cpu = time.perf_counter(), time.process_time()
        for item in calls:
            trail.note(item)
        await trail.flush()
        own += time.process_time() - cpu
        whole += time.perf_counter() - began
    await database.close()
    return own * 1e6 / CALLS / ROUNDS, whole * 1e6 / CALLS / ROUNDS


def main() -> None:
    """Print microseconds a call."""
    print(f"{'microseconds a call':32}{'gateway':>10}{'until stored':>14}   (at most {BUDGET})")
    with scratch_postgres() as url:
        asyncio.run(migrate.upgrade(url))
        for make in (same, other, write):
            own, whole = asyncio.run(measure(url, make))
            print(f"{make.__name__:32}{own:10.2f}{whole:14.2f}")


if __name__ == "__main__":
    main()
