"""Containers in Docker, each under the cloud's name and label."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from agents.container.engine import Engine, Refused
from agents.contract.container import Container
from agents.names import Names

log = logging.getLogger(__name__)

State = Literal["created", "running", "exited"]
LABEL = "celaje.cloud"
_STOP_LIMIT = 300.0
_MOST_PROCESSES = 4096


class Lost(Exception):
    """A container must be made again."""


@dataclass(frozen=True)
class Seen:
    """What Docker knows of one container. `reason` says why it could not start or was killed."""

    state: State
    exit_code: int | None = None
    reason: str | None = None


class Containers:
    """Makes, starts, stops, removes and lists the containers of one cloud.

    All raise Unavailable while Docker is away and Refused when it says no; stopping what is stopped and removing what
    is gone is no error.
    """

    def __init__(self, engine: Engine, names: Names) -> None:
        self._engine = engine
        self._names = names

    def id_of(self, name: str) -> str | None:
        """The container that a name in Docker stands for, None for other clouds' and foreign ones."""
        prefix = self._names.domain_prefix
        return name.removeprefix("/")[len(prefix) :] if name.removeprefix("/").startswith(prefix) else None

    async def all(self) -> dict[str, State]:
        """The containers that Docker has, by id."""
        filters = json.dumps({"label": [f"{LABEL}={self._names.cloud}"]})
        found = await self._engine.call("GET", "/containers/json", params={"all": "true", "filters": filters})
        ids = {item["Id"]: self.id_of(item["Names"][0]) for item in found if item["Names"]}
        return {id: _state(item["State"]) for item in found if (id := ids.get(item["Id"]))}

    async def look(self, id: str) -> Seen | None:
        """What Docker knows of a container; None when it has none of that id."""
        try:
            shown = await self._engine.call("GET", f"/containers/{self._names.container(id)}/json")
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        about = shown["State"]
        state = _state(about["Status"])
        reason = "OutOfMemoryError: it was killed for using too much memory" if about["OOMKilled"] else about["Error"]
        return Seen(state, about["ExitCode"] if state == "exited" else None, reason or None)

    async def create(self, wanted: Container, image: str) -> None:
        """Make a container, which is not started by that. One that is there already stays."""
        document: dict[str, Any] = {
            "Image": image,
            "Env": [f"{name}={value}" for name, value in wanted.environment],
            "Labels": {LABEL: self._names.cloud},
            "StopTimeout": wanted.stop_seconds,
            "NetworkDisabled": True,
            "HostConfig": {
                "NetworkMode": "none",
                "Memory": (wanted.memory_mib or 0) << 20,
                "NanoCpus": round((wanted.vcpus or 0) * 1_000_000_000),
                "PidsLimit": _MOST_PROCESSES,
                "SecurityOpt": ["no-new-privileges"],
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
            },
        }
        if wanted.command:
            document["Cmd"] = list(wanted.command)
        try:
            params = {"name": self._names.container(wanted.id)}
            await self._engine.call("POST", "/containers/create", params=params, document=document)
        except Refused as error:
            if error.status != HTTPStatus.CONFLICT:
                raise

    async def start(self, id: str) -> None:
        """Start a container. Raises Lost when it had to be removed instead, not having been started before."""
        try:
            await self._engine.call("POST", f"/containers/{self._names.container(id)}/start")
        except Refused as error:
            if " exists" not in str(error):
                raise
            await self._exorcise(id)
            raise Lost(f"Docker was killed while it started {id}") from error

    async def _exorcise(self, id: str) -> None:
        """Remove a container that dockerd had begun to start when it was killed. It takes that for not started, finds
        what containerd has of it already, and would refuse to start it for ever."""
        shown = await self._engine.call("GET", f"/containers/{self._names.container(id)}/json")
        log.warning("Docker has lost the start of %s, removing it", id)
        for pid in _shims(shown["Id"]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(Refused):  # while its shim dies, its files are busy; what is left is found again
            await self.remove(id)

    async def stop(self, id: str, seconds: float | None = None) -> None:
        """Ask a container to end, and kill it when it has not after `seconds`, or after what it was made with."""
        params = {} if seconds is None else {"t": str(round(seconds))}
        with _unless_gone():
            path = f"/containers/{self._names.container(id)}/stop"
            await self._engine.call("POST", path, params=params, limit=_STOP_LIMIT)

    async def remove(self, id: str) -> None:
        """Remove a container that has ended, with its files."""
        with _unless_gone():
            params = {"force": "true", "v": "true"}
            await self._engine.call("DELETE", f"/containers/{self._names.container(id)}", params=params)


@contextlib.contextmanager
def _unless_gone() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise


def _shims(container: str) -> list[int]:
    wanted = [b"-id", container.encode()]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"containerd-shim-runc-v2") and any(words[i : i + 2] == wanted for i in range(len(words))):
            found.append(int(folder.name))
    return found


def _state(status: str) -> State:
    if status == "created":
        return "created"
    return "running" if status in ("running", "paused", "restarting") else "exited"
