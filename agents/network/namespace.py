"""Network namespaces: made by name, entered by threads and by tools."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from agents.runtime.process import ToolFailed, run

T = TypeVar("T")

_FOLDER = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A named network namespace, or with the name None the one that the agent itself lives in."""

    def __init__(self, name: str | None) -> None:
        self.name = name

    async def create(self) -> bool:
        """Make the namespace unless it is there; True when it was made."""
        assert self.name is not None
        if self._is_there():
            return False
        await run(["ip", "netns", "add", self.name])
        return True

    async def delete(self) -> None:
        """Remove the namespace with all that is in it."""
        assert self.name is not None
        if self._is_there():
            await run(["ip", "netns", "delete", self.name])

    async def ip(self, *lines: str) -> None:
        """Run lines of `ip` commands in one process, in order; stops at the first that fails."""
        if lines:
            await run(["ip", *self._selector(), "-batch", "-"], stdin="\n".join(lines) + "\n")

    async def remove_link(self, name: str) -> None:
        """Remove an interface; that it is gone already, as the other end of a veth may be, is no error."""
        try:
            await self.ip(f"link delete {name}")
        except ToolFailed:
            if name in {link["ifname"] for link in await self.show("link")}:
                raise

    async def bridge(self, *lines: str) -> None:
        """Run lines of `bridge` commands in one process, in order; stops at the first that fails."""
        if lines:
            await run(["bridge", *self._selector(), "-batch", "-"], stdin="\n".join(lines) + "\n")

    async def show(self, *words: str) -> list[dict[str, Any]]:
        """What an `ip … show` command tells, parsed."""
        output = await run(["ip", *self._selector(), "-json", *words])
        return list(json.loads(output or "[]"))

    async def nft(self, ruleset: str) -> None:
        """Apply an nftables script as one transaction."""
        await run([*self.enter(), "nft", "-f", "-"], stdin=ruleset)

    def enter(self) -> list[str]:
        """The words to put before a command that must run in this namespace."""
        return ["nsenter", f"--net={_FOLDER / self.name}"] if self.name else []

    async def sysctl(self, settings: Iterable[tuple[str, str]]) -> None:
        """Set network sysctls, given without the leading `net/`."""

        def write() -> None:
            for path, value in settings:
                Path("/proc/sys/net", path).write_text(value)

        await self.within(write)

    async def within(self, function: Callable[[], T]) -> T:
        """Run a function in a thread that has entered this namespace and ends with it."""
        return await asyncio.wrap_future(_in_thread(self.name, function))

    def _selector(self) -> list[str]:
        return ["-n", self.name] if self.name else []

    def _is_there(self) -> bool:
        assert self.name is not None
        path = _FOLDER / self.name
        if not path.exists():
            return False
        # After a kill in the middle of `ip netns add`, the file can be there without the namespace.
        if path.stat().st_dev == _FOLDER.stat().st_dev:
            path.unlink()
            return False
        return True


def names(prefix: str) -> set[str]:
    """Names of the namespaces that begin with `prefix`."""
    return {path.name for path in _FOLDER.glob(f"{prefix}*")} if _FOLDER.exists() else set()


def _in_thread(name: str | None, function: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()

    def body() -> None:
        try:
            if name is not None:
                _enter(_FOLDER / name)
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=body, name=f"netns-{name}", daemon=True).start()
    return future


def _enter(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(descriptor)
