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
_NOT_SERVED = "celaje.invalid"
_CONF = """\
-- Written by Celaje at every start.
setLocal("{address}")
setACL({{"0.0.0.0/0", "::/0"}})
setSecurityPollSuffix("")
newServer({{address="{inner}", source="{source}", useProxyProtocol=true}}):setUp()

-- Answers never wait for whoever listens: beyond these limits frames are dropped.
local tap = newFrameStreamUnixLogger("{tap}", {{inputQueueSize=16384, queueNotifyThreshold=64, reopenInterval=1}})
local known

-- Called each second: the names to watch may be others by now.
function maintenance()
  local file = io.open("{watched}")
  local text = file and file:read("*a") or ""
  if file then file:close() end
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
    if not watched(run).exists():
        path.unlink(missing_ok=True)
        return None
    port = _free(int(path.read_text()) if path.exists() else 0)
    path.write_text(str(port))
    path.chmod(0o644)
    return port


def _free(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, wanted))
        except OSError:
            probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


class Front:
    """dnsdist as the supervisor sees it. `etc` is the folder of written configuration."""

    def __init__(self, etc: Path, run: Path, address: tuple[str, int]) -> None:
        self._file, self._run, self._address = etc / "dnsdist.conf", run, address
        self.wanted = inner(run)

    def command(self) -> list[str]:
        return [str(shutil.which("dnsdist", path=_PATH)), "--supervised", "--disable-syslog", "-C", str(self._file)]

    def prepare(self) -> None:
        """Write the configuration."""
        host, port = self._address
        self._file.write_text(
            _CONF.format(
                address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
                inner=f"{_LOOPBACK}:{int(self.wanted.read_text())}",
                source=SOURCE,
                tap=tap(self._run),
                watched=watched(self._run),
            )
        )
        self._file.chmod(0o644)

    async def healthy(self) -> bool:
        """True when PowerDNS answers through it."""
        host, port = self._address
        question = dns.message.make_query(_NOT_SERVED, "A")
        try:
            await dns.asyncquery.udp(question, host, _PROBE_SECONDS, port)
        except (OSError, dns.exception.DNSException):
            return False
        return True
