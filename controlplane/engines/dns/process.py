"""The PowerDNS server: its configuration and command line. The supervisor runs it once it is wanted."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from controlplane.engines.dns import front, keys

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
_CONF = """\
# Written by Celaje at every start.
launch=gpgsql
{database}
gpgsql-extra-connection-parameters=options='-c search_path=powerdns'
gpgsql-dnssec=yes
lua-prequery-script={script}
local-address={host}
local-port={port}
{proxy}
socket-dir={run}
# Changes are told to it (PURGE); no zone and no answer is looked for in vain meanwhile.
zone-cache-refresh-interval=0
cache-ttl=60
query-cache-ttl=60
negquery-cache-ttl=60
enable-lua-records=shared
# Instructions; each network that a record goes by is one.
lua-records-exec-limit=20000
edns-subnet-processing=yes
receiver-threads=1
distributor-threads=1
# Nobody gets a whole zone.
disable-axfr=yes
allow-notify-from=
version-string=anonymous
security-poll-suffix=
daemon=no
guardian=no
write-pid=no
disable-syslog=yes
loglevel=4
"""


def installed() -> bool:
    """Whether this machine has PowerDNS."""
    return shutil.which("pdns_server", path=_PATH) is not None


class Server:
    """PowerDNS as the supervisor sees it. `etc` is the folder of written configuration."""

    def __init__(self, etc: Path, run: Path, database: str, address: tuple[str, int], group: int) -> None:
        self._folder, self._run, self._database, self._address = etc / "powerdns", run, database, address
        self._group = group

    def command(self) -> list[str]:
        return [str(shutil.which("pdns_server", path=_PATH)), f"--config-dir={self._folder}"]

    def prepare(self) -> None:
        """Write the configuration, for the server's group alone: the database's password may stand in it."""
        host, port = self._address
        proxy, inner = "", front.choose_inner(self._run)
        if inner is not None:
            host, port, proxy = "127.0.0.1", inner, f"proxy-protocol-from={front.SOURCE}"
        self._folder.mkdir(parents=True, exist_ok=True)
        database = "\n".join(f"gpgsql-{name}={value}" for name, value in _parts(self._database).items())
        script = self._folder / "keys.lua"
        script.write_text(keys.SCRIPT.format(folder=keys.folder(self._run)))
        text = _CONF.format(database=database, host=host, port=port, proxy=proxy, run=self._run, script=script)
        path = self._folder / "pdns.conf"
        path.touch(0o640)
        path.chmod(0o640)
        os.chown(path, -1, self._group)
        path.write_text(text)

    async def healthy(self) -> bool:
        """True when it listens on its control socket."""
        try:
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_unix_connection(str(self._run / "pdns.controlsocket"))
                try:
                    writer.write(b"VERSION\n")
                    return bool(await reader.read(20))
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False


def _parts(url: str) -> dict[str, str]:
    """PowerDNS's settings for a libpq URL."""
    found = urlsplit(url)
    host = found.hostname or next(iter(parse_qs(found.query).get("host", [])), "")
    parts = {"host": host, "port": str(found.port or ""), "user": unquote(found.username or "")}
    parts |= {"password": unquote(found.password or ""), "dbname": found.path.lstrip("/")}
    return {name: value for name, value in parts.items() if value}
