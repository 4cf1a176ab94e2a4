"""How a service frees what a closed account held: one function in its `closing.py`, found by scanning."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from controlplane.work.reconciler import ROOT, Run

Function = Callable[[Run, str], Awaitable[bool]]

CLOSERS: dict[str, Function] = {}
KEPT: set[str] = set()

F = TypeVar("F", bound=Function)


def frees(name: str) -> Callable[[F], F]:
    """Declare what frees a service's part of a closed account.

    It gets a `Run` and the account's id, and answers True once nothing is left outside the database: no machine, no
    address on a host, no file. It may be called any number of times, and may die anywhere. Rows need no thought: when
    all services are done, every row with the account in its `account_id` goes, and what refers to it.
    """

    def declare(function: F) -> F:
        if name in CLOSERS:
            raise ValueError(f"two functions free {name!r}")
        CLOSERS[name] = function
        return function

    return declare


def keeps(*tables: str) -> None:
    """Name tables whose rows outlive the account: the audit trail, the ledger."""
    KEPT.update(tables)


def import_all_closers(root: Path = ROOT) -> None:
    """Import each `closing.py` of the control plane (this one declares none)."""
    for path in sorted(root.rglob("closing.py")):
        if path != Path(__file__):
            importlib.import_module(".".join(("controlplane", *path.relative_to(root).with_suffix("").parts)))
