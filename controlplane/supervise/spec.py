"""What the supervisor must know of one process."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controlplane.state.embedded import Owner

Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Spec:
    """One process to keep running, or to run once.

    It is ready when `probe` says so; without a probe, when it says READY=1 on its notify socket (see notify.py).
    `prepare` runs in a thread before every start. `once` marks a step that must end well before the next stage starts.
    `sockets` are file descriptors that it inherits under their own numbers. With `wanted` it runs while that file is
    there; nothing waits for it else.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    owner: Owner | None = None
    probe: Probe | None = None
    prepare: Callable[[], None] | None = None
    once: bool = False
    sockets: tuple[int, ...] = ()
    wanted: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 8.0


Stage = tuple[Spec, ...]
"""Processes that start together; the next stage waits until all are ready. They are stopped in reverse order."""
