"""dnsdist, which stands before PowerDNS while questions are watched: it tells of each answer, PowerDNS does not.

PowerDNS then answers on a port of loopback (`inner`), and sees by the PROXY protocol who asked. The supervisor runs
dnsdist as long as the file of that port is there, which PowerDNS's own start writes or removes: when dnsdist comes, the
port has been left.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import dns.asyncquery
import dns.exception
import dns.message

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
SOURCE = "127.0.0.2"
"""From here dnsdist asks PowerDNS, which takes the PROXY protocol from nobody else."""
_LOOPBACK = "127.0.0.1"
_PROBE_SECONDS = 1.0
_TRIES = 20
_EVERYWHERE = {"0.0.0.0": _LOOPBACK, "::": "::1"}  # noqa: S104
_NOT_SERVED = "celaje.invalid"
_CONF = """\
-- Written by Celaje at every start.
setLocal("{address}")
setACL({{"0.0.0.0/0", "::/0"}})
setSecurityPollSuffix("")
-- A client that asks without end over one connection could use up our stack (CVE-2025-30193).
setMaxTCPQueriesPerConnection(50)
setMaxTCPConnectionsPerClient(100)
setMaxTCPConnectionDuration(60)

-- Answers never wait for whoever listens: beyond these limits frames are dropped.
local tap = newFrameStreamUnixLogger("{tap}", {{inputQueueSize=16384, queueNotifyThreshold=64, reopenInterval=1}})
local server, port, known

local function read(path)
  local file = io.open(path)
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text
end

-- PowerDNS may have been started on another port.
local function follow()
  local now = read("{inner}"):match("^%d+$")
  if not now or now == port then return end
  if server then rmServer(server) end
  port, server = now, newServer({{address="{loopback}:" .. now, source="{source}", useProxyProtocol=true}})
  server:setUp()
end

follow()

-- Called each second: the names to watch may be others by now.
function maintenance()
  follow()
  local text = read("{watched}")
  if text == known then return end
  known = text
  local names = newSuffixMatchNode()
  for name in text:gmatch("%S+") do
    pcall(function() names:add(newDNSName(name)) end)
  end
  pcall(rmResponseRule, "watched")
  addResponseAction(SuffixMatchNodeRule(names), DnstapLogResponseAction("celaje", tap), {{name="watched"}})
end
"""


def installed() -> bool:
    """Whether this machine has dnsdist."""
    return shutil.which("dnsdist", path=_PATH) is not None


def watched(run: Path) -> Path:
    """The file of the names that are watched, one a line. Without it nothing is."""
    return run / "dns.watched"


def inner(run: Path) -> Path:
    """The file of PowerDNS's port behind dnsdist; not there while PowerDNS answers itself."""
    return run / "dns.inner"


def tap(run: Path) -> Path:
    """The socket on which whoever wants to know of questions listens."""
    return run / "dnstap.sock"


def choose_inner(run: Path) -> int | None:
    """At each start of PowerDNS: the port behind dnsdist, if anything is watched. The last one, if it is free."""
    path = inner(run)
    if not watched(run).exists() or not installed():
        path.unlink(missing_ok=True)
        return None
    port = _free(last_inner(run) or 0)
    write(path, str(port))
    return port


def last_inner(run: Path) -> int | None:
    """The port on which PowerDNS answers behind dnsdist."""
    try:
        found = int(inner(run).read_text())
    except (OSError, ValueError):
        return None
    return found if 0 < found < 65536 else None


def write(path: Path, text: str) -> None:
    """At once or not at all: it is read meanwhile."""
    aside = path.with_name(f"{path.name}.new")
    aside.write_text(text)
    aside.chmod(0o644)
    aside.replace(path)


def reached(address: tuple[str, int]) -> tuple[str, int]:
    """Where we find whoever listens there: on loopback, if it is everywhere."""
    host, port = address
    return _EVERYWHERE.get(host, host), port


def _free(wanted: int) -> int:
    """This port, or another one if somebody has it for UDP or TCP."""
    for port in (wanted, *[0] * _TRIES):
        try:
            with _bound(socket.SOCK_DGRAM, port) as first, _bound(socket.SOCK_STREAM, first.getsockname()[1]):
                return int(first.getsockname()[1])
        except OSError:
            continue
    raise OSError("no port of loopback is free")


def _bound(kind: int, port: int) -> socket.socket:
    made = socket.socket(type=kind)
    try:
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((_LOOPBACK, port))
    except OSError:
        made.close()
        raise
    return made


class Front:
    """dnsdist as the supervisor sees it. `etc` is the folder of written configuration."""

    def __init__(self, etc: Path, run: Path, address: tuple[str, int]) -> None:
        self._file, self._run, self._address = etc / "dnsdist.conf", run, address
        self.wanted = inner(run)

    def command(self) -> list[str]:
        # It may be installed later.
        program = shutil.which("dnsdist", path=_PATH) or "/usr/bin/dnsdist"
        return [program, "--supervised", "--disable-syslog", "-C", str(self._file)]

    def prepare(self) -> None:
        """Write the configuration."""
        host, port = self._address
        self._file.write_text(
            _CONF.format(
                address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
                inner=self.wanted,
                loopback=_LOOPBACK,
                source=SOURCE,
                tap=tap(self._run),
                watched=watched(self._run),
            )
        )
        self._file.chmod(0o644)

    async def healthy(self) -> bool:
        """True when PowerDNS answers through it."""
        host, port = reached(self._address)
        question = dns.message.make_query(_NOT_SERVED, "A")
        try:
            await dns.asyncquery.udp(question, host, _PROBE_SECONDS, port)
        except (OSError, dns.exception.DNSException):
            return False
        return True
