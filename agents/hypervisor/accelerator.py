"""Whether KVM really works here: answered by booting a kernel, never by the presence of /dev/kvm."""

from __future__ import annotations

import asyncio
import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from agents.runtime.files import write_durably
from agents.runtime.process import run

_LIMIT = 6.0
_DEVICE = Path("/dev/kvm")


@dataclass(frozen=True)
class Choice:
    """kvm or qemu (which is TCG, QEMU's translator), and why."""

    accelerator: str
    reason: str


class Accelerator:
    """Chooses once per kernel and QEMU version and remembers the answer in a file of `home`."""

    def __init__(self, home: Path, forced: str | None = None) -> None:
        self._file = home / "accelerator.json"
        self._choice = Choice(forced, "chosen by hand") if forced else None
        self._lock = asyncio.Lock()

    async def choose(self, kernel: Path | None) -> Choice | None:
        """The accelerator to use. None as long as KVM is there but no kernel to try it with is known."""
        async with self._lock:
            if self._choice is None:
                self._choice = await self._remembered_or_probed(kernel or _host_kernel())
            return self._choice

    async def _remembered_or_probed(self, kernel: Path | None) -> Choice | None:
        if not os.access(_DEVICE, os.R_OK | os.W_OK):
            return Choice("qemu", "this host has no usable /dev/kvm")
        key = f"{platform.release()} {(await qemu_version())}"
        try:
            remembered = json.loads(self._file.read_bytes())
            if remembered.pop("key") == key:
                return Choice(**remembered)
        except (OSError, ValueError, TypeError, KeyError):
            pass
        if kernel is None:
            return None
        choice = await _probe(kernel)
        write_durably(self._file, json.dumps({"key": key, **asdict(choice)}).encode())
        return choice


async def qemu_version() -> str:
    """QEMU's version, as it tells it."""
    return (await run(["qemu-system-x86_64", "--version"])).splitlines()[0].removeprefix("QEMU emulator version ")


def _host_kernel() -> Path | None:
    return next((path for path in sorted(Path("/boot").glob("vmlinuz-*")) if os.access(path, os.R_OK)), None)


async def _probe(kernel: Path) -> Choice:
    process = await asyncio.create_subprocess_exec(
        "qemu-system-x86_64", "-machine", "q35", "-accel", "kvm", "-cpu", "host", "-m", "128", "-nodefaults",
        "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", str(kernel),
        "-append", "console=ttyS0 panic=-1",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    # Both end when QEMU does; after an internal error it does not end but stands still.
    speaks = asyncio.create_task(_contains(process.stdout, b"Linux version"))
    breaks = asyncio.create_task(_contains(process.stderr, b"KVM internal error"))
    try:
        await asyncio.wait({speaks, breaks}, timeout=_LIMIT, return_when=asyncio.FIRST_COMPLETED)
        if speaks.done() and speaks.result():
            return Choice("kvm", "a kernel booted on KVM")
        if speaks.done() or breaks.done():
            return Choice("qemu", "/dev/kvm is there, but a kernel crashed on it")
        return Choice("qemu", f"/dev/kvm is there, but a kernel stayed silent on it for {_LIMIT:g} s")
    finally:
        for task in (speaks, breaks):
            task.cancel()
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _contains(stream: asyncio.StreamReader, wanted: bytes) -> bool:
    seen = b""
    while piece := await stream.read(4096):
        seen = seen[-len(wanted) :] + piece
        if wanted in seen:
            return True
    return False
