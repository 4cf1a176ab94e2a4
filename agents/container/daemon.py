"""A dockerd of the agent's own, for hosts where none runs.

It has its own folders, socket and containerd, and makes no bridge, no firewall rule and no sysctl on the host, so that
it collides with nothing: neither with another cloud's nor with a dockerd that the owner starts later.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

log = logging.getLogger(__name__)

_PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STOP_SECONDS = 10.0
_LOG_OPTIONS = {"max-size": "1m", "max-file": "2"}


class Daemon:
    """Starts and stops dockerd; `home` is a folder that survives a reboot of the host, `runtime` one that does not."""

    def __init__(self, home: Path, runtime: Path, cloud: str) -> None:
        self._state = home / "docker"
        self._log = home / "docker.log"
        self._configuration = home / "docker.json"
        self._runtime = runtime
        self._cloud = cloud
        self._process: asyncio.subprocess.Process | None = None
        self.socket = runtime / "docker.sock"

    @property
    def used_before(self) -> bool:
        """True when containers of an earlier run may be in this dockerd's care."""
        return self._state.exists()

    @property
    def installed(self) -> bool:
        """Whether there is a dockerd on this host that could be started."""
        return shutil.which("dockerd", path=_PLACES) is not None

    def pid(self) -> int | None:
        """Process id of the running daemon."""
        return _running(self._runtime / "docker.pid", self._configuration)

    async def start(self) -> None:
        """Start the daemon if it does not run; returns before it answers."""
        if self.pid() is not None or (self._process is not None and self._process.returncode is None):
            return
        for folder in (self._state, self._runtime):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        self._configuration.write_text(json.dumps(self._settings(), indent=2))
        await self._clear_away()
        with self._log.open("ab") as log_file:
            self._process = await asyncio.create_subprocess_exec(
                "dockerd", "--config-file", str(self._configuration),
                stdin=asyncio.subprocess.DEVNULL, stdout=log_file, stderr=log_file, start_new_session=True, cwd="/",
                env={**os.environ, "PATH": _PLACES},
            )  # fmt: skip
        log.info("started a dockerd of our own")

    def stop(self) -> None:
        """Stop the daemon; its containers go on."""
        pid = self.pid()
        if pid is None:
            return
        descriptor = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            deadline = time.monotonic() + _STOP_SECONDS
            while self.pid() == pid:
                if time.monotonic() > deadline:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                time.sleep(0.02)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)

    async def _clear_away(self) -> None:
        """Remove what a killed dockerd has left: numbers that may be other processes' by now, and its containerd.

        That one is dying, but a new dockerd that still sees it waits for it in vain, for 15 s.
        """
        folder = self._runtime / "exec" / "containerd"
        while (pid := _running(folder / "containerd.pid", folder / "containerd.toml")) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.01)
        for left in (self._runtime / "docker.pid", folder / "containerd.pid", folder / "containerd.sock"):
            left.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The end of what the daemon has logged, for whoever wonders why it does not start."""
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return lines[-1][-300:] if lines else ""

    def release(self) -> None:
        """Unmount what a stopped daemon and its containers, which have all ended, have left mounted."""
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        places = [Path(line.split()[4].encode().decode("unicode_escape")) for line in lines]
        for place in sorted((each for each in places if each.is_relative_to(self._state)), reverse=True):
            subprocess.run(["umount", "--lazy", place], check=False)
        shutil.rmtree(self._runtime, ignore_errors=True)

    def _settings(self) -> dict[str, object]:
        name = f"celaje-{self._cloud}"
        return {
            "data-root": str(self._state),
            "exec-root": str(self._runtime / "exec"),
            "pidfile": str(self._runtime / "docker.pid"),
            "hosts": [f"unix://{self.socket}"],
            "bridge": "none",
            "iptables": False,
            "ip-forward": False,
            "ip-masq": False,
            "userland-proxy": False,
            "live-restore": True,
            # Where the host's containerd runs, it is used, in a corner of our own.
            "containerd-namespace": name,
            "containerd-plugins-namespace": f"{name}-plugins",
            "log-level": "warn",
            "log-driver": "json-file",
            "log-opts": _LOG_OPTIONS,
        }


def _running(pid_file: Path, configuration: Path) -> int | None:
    """The process that a file names, if it is the one that runs with a configuration."""
    try:
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if str(configuration).encode() in command else None
