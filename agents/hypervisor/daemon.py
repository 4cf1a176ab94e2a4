"""A libvirtd of the agent's own, for hosts where none runs.

It lives in a private mount namespace in which libvirt's fixed folders are bound to folders of this cloud, so that it
collides with nothing else on the host and can be found again, with its machines, after a kill.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
from pathlib import Path

log = logging.getLogger(__name__)

_FIXED = {
    "run": "/run/libvirt",
    "lib": "/var/lib/libvirt",
    "log": "/var/log/libvirt",
    "etc": "/etc/libvirt",
    "cache": "/var/cache/libvirt",
}
_READ_ONLY = "blobs"
_DAEMON_CONF = """\
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
log_filters = "4:qemu 4:util"
"""
# Machines name their own, unprivileged user; what QEMU can do is found out as root, because libvirt forgets the answer
# where /dev/kvm is closed to its default user.
_QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
dynamic_ownership = 1
remember_owner = 0
namespaces = []
stdio_handler = "file"
"""
# Propagation is "slave": an unmount of another network namespace must reach this one too, or the namespace never dies.
_ENTER = """\
while [ "$1" != -- ]; do mkdir -p "$2" && mount --bind "$1" "$2" || exit 1; shift 2; done
mount -o remount,bind,ro "$2" || exit 1
shift 2
exec "$@"
"""


class Daemon:
    """Starts libvirtd; `home` is a folder that survives a reboot of the host, `runtime` one that does not.

    The home may be closed to the user that QEMU runs as, so libvirtd and its QEMUs see two folders of it at another
    place, the one that `inside` tells: the machines' files, and the images, which no QEMU may write to.
    """

    def __init__(self, home: Path, runtime: Path) -> None:
        self._home = home
        self._state = home / "libvirt"
        self._runtime = runtime
        self._process: asyncio.subprocess.Process | None = None

    @property
    def uri(self) -> str:
        """Where to connect."""
        return f"qemu:///system?socket={self._runtime}/libvirt-sock"

    @property
    def used_before(self) -> bool:
        """True when machines of an earlier run may be in this libvirtd's care."""
        return (self._state / "etc").exists()

    def inside(self, path: Path) -> Path:
        """Where this libvirtd and its machines see a file of the home."""
        return Path(_FIXED["lib"]) / path.relative_to(self._home)

    def pid(self) -> int | None:
        """Process id of the running daemon."""
        try:
            pid = int((self._runtime / "libvirtd.pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self._runtime / "libvirtd.pid").encode() in command else None

    def restart_without(self, domain: str) -> None:
        """Kill the daemon and make it forget a domain; its machines go on, and whoever is connected starts it again."""
        pid = self.pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for suffix in ("xml", "pid"):
            (self._runtime / "qemu" / f"{domain}.{suffix}").unlink(missing_ok=True)

    async def start(self) -> None:
        """Start the daemon if it does not run; returns before it answers."""
        if self.pid() is not None or (self._process is not None and self._process.returncode is None):
            return
        folders = {name: (self._runtime if name == "run" else self._state / name) for name in _FIXED}
        shared = {self._home / name: self._state / "lib" / name for name in ("machines", _READ_ONLY)}
        for folder in (*folders.values(), *shared, *shared.values()):
            folder.mkdir(parents=True, exist_ok=True)
        (folders["etc"] / "libvirtd.conf").write_text(_DAEMON_CONF)
        (folders["etc"] / "qemu.conf").write_text(_QEMU_CONF)
        (self._runtime / "libvirtd.pid").unlink(missing_ok=True)
        places = {folder: _FIXED[name] for name, folder in folders.items()} | {
            folder: f"{_FIXED['lib']}/{folder.name}" for folder in shared
        }
        binds = [argument for folder, place in places.items() for argument in (str(folder), place)]
        libvirtd = shutil.which("libvirtd", path="/usr/sbin:/sbin:/usr/bin") or "/usr/sbin/libvirtd"
        with (folders["log"] / "libvirtd.log").open("ab") as log_file:
            self._process = await asyncio.create_subprocess_exec(
                "unshare", "--mount", "--propagation", "slave",
                "sh", "-c", _ENTER, "sh", *binds, "--", f"{_FIXED['lib']}/{_READ_ONLY}",
                libvirtd, "-f", "/etc/libvirt/libvirtd.conf", "-p", str(self._runtime / "libvirtd.pid"),
                stdin=asyncio.subprocess.DEVNULL, stdout=log_file, stderr=log_file, start_new_session=True,
            )  # fmt: skip
        log.info("started a libvirtd of our own")
