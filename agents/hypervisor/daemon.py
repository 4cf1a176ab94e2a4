"""A libvirtd of the agent's own, for hosts where none runs.

It lives in a private mount namespace in which libvirt's fixed folders are bound to folders of this cloud, so that it
collides with nothing else on the host and can be found again, with its machines, after a kill.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

log = logging.getLogger(__name__)

_FIXED = {
    "run": "/run/libvirt",
    "lib": "/var/lib/libvirt",
    "log": "/var/log/libvirt",
    "etc": "/etc/libvirt",
    "cache": "/var/cache/libvirt",
}
_DAEMON_CONF = """\
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
log_filters = "4:qemu 4:util"
"""
_QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
stdio_handler = "file"
"""
# Propagation is "slave": an unmount of another network namespace must reach this one too, or the namespace never dies.
_ENTER = """\
while [ "$1" != -- ]; do mkdir -p "$2" && mount --bind "$1" "$2" || exit 1; shift 2; done
shift
exec "$@"
"""


class Daemon:
    """Starts libvirtd; `state` is a folder that survives a reboot of the host, `runtime` one that does not."""

    def __init__(self, state: Path, runtime: Path) -> None:
        self._state = state
        self._runtime = runtime

    @property
    def uri(self) -> str:
        """Where to connect."""
        return f"qemu:///system?socket={self._runtime}/libvirt-sock"

    @property
    def used_before(self) -> bool:
        """True when machines of an earlier run may be in this libvirtd's care."""
        return self._state.exists()

    def pid(self) -> int | None:
        """Process id of the running daemon."""
        try:
            pid = int((self._runtime / "libvirtd.pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self._runtime / "libvirtd.pid").encode() in command else None

    async def start(self) -> None:
        """Start the daemon if it does not run; returns before it answers."""
        if self.pid() is not None:
            return
        folders = {name: (self._runtime if name == "run" else self._state / name) for name in _FIXED}
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        (folders["etc"] / "libvirtd.conf").write_text(_DAEMON_CONF)
        (folders["etc"] / "qemu.conf").write_text(_QEMU_CONF)
        (self._runtime / "libvirtd.pid").unlink(missing_ok=True)
        binds = [argument for name, folder in folders.items() for argument in (str(folder), _FIXED[name])]
        libvirtd = shutil.which("libvirtd", path="/usr/sbin:/sbin:/usr/bin") or "/usr/sbin/libvirtd"
        with (folders["log"] / "libvirtd.log").open("ab") as log_file:
            await asyncio.create_subprocess_exec(
                "unshare", "--mount", "--propagation", "slave",
                "sh", "-c", _ENTER, "sh", *binds, "--",
                libvirtd, "-f", "/etc/libvirt/libvirtd.conf", "-p", str(self._runtime / "libvirtd.pid"),
                stdin=asyncio.subprocess.DEVNULL, stdout=log_file, stderr=log_file, start_new_session=True,
            )  # fmt: skip
        log.info("started a libvirtd of our own")
