"""DHCP and DNS of one VPC on one host: a dnsmasq in the VPC's namespace, which goes on working without the agent."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import time
from ipaddress import IPv4Network
from pathlib import Path

from agents.contract.network import API_NAME, METADATA, Vpc
from agents.names import bridge
from agents.network.namespace import Namespace
from agents.runtime.process import run

LEASE = 3600
ZONES_PORT = 5353
"""On this port of the namespace's loopback the private zones answer; no guest reaches it."""
GUARDED_PORT = 5352
"""Here dnsmasq answers where a guard (`guard.py`) stands before it; no guest reaches it."""


class Dhcp:
    """One dnsmasq with its files in `folder`. `upstream` answers the names that are not of the VPC."""

    def __init__(self, folder: Path, namespace: Namespace, upstream: str, mtu: int) -> None:
        self._folder = folder
        self._namespace = namespace
        self._upstream = upstream
        self._mtu = mtu
        self._conf = folder / "dnsmasq.conf"

    @property
    def leases(self) -> Path:
        """Dnsmasq's record of the addresses taken: `expiry mac address name client-id` lines."""
        return self._folder / "leases"

    async def sync(self, vpc: Vpc) -> None:
        """Serve exactly the ports of the VPC; dnsmasq is restarted only when the subnets have changed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        hosts = "".join(f"{port.mac},{port.address},{port.hostname.split('.')[0]},{LEASE}\n" for port in vpc.ports)
        names = "".join(_names(port.address, port.hostname, vpc.dns_domain) for port in vpc.ports)
        names += "".join(_names(port.address, _name(port.address), vpc.dns_domain) for port in vpc.remote_ports)
        zones = "".join(zone.model_dump_json() for zone in vpc.zones)
        digest = hashlib.sha256(zones.encode()).hexdigest()  # a change has dnsmasq forget what it knew of the zones
        files = {"hosts": hosts, "names": names, "zones": digest}
        changed = [_replace(self._folder / name, text) for name, text in files.items()]
        if _replace(self._conf, self._configuration(vpc)) or self._pid() is None:
            self.stop()
            await run([*self._namespace.enter(), "dnsmasq", f"--conf-file={self._conf}"])
        elif any(changed) and (pid := self._pid()) is not None:
            os.kill(pid, signal.SIGHUP)

    def stop(self) -> None:
        """Stop dnsmasq; its files stay."""
        pid = self._pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            while Path(f"/proc/{pid}/cmdline").exists() and self._pid() == pid:
                time.sleep(0.002)

    def remove(self) -> None:
        """Remove the files of a stopped dnsmasq."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _pid(self) -> int | None:
        return running_dnsmasq(self._folder / "pid", self._conf)

    def _configuration(self, vpc: Vpc) -> str:
        lines = [
            "no-resolv", "no-hosts", "no-ping", "bind-dynamic", "interface=br*", "dhcp-authoritative",
            "dhcp-ignore=tag:!known", "cache-size=1000", "stop-dns-rebind", "rebind-localhost-ok",
            f"address=/{API_NAME}/{METADATA}",
            f"server={self._upstream}", f"domain={vpc.dns_domain}", f"local=/{vpc.dns_domain}/",
            f"pid-file={self._folder / 'pid'}", f"dhcp-leasefile={self.leases}",
            f"dhcp-hostsfile={self._folder / 'hosts'}", f"addn-hosts={self._folder / 'names'}",
            f"dhcp-option=option:mtu,{self._mtu}",
        ]  # fmt: skip
        resolver = IPv4Network(vpc.cidrs[0])[2]
        for subnet in vpc.subnets:
            network = IPv4Network(subnet.cidr)
            tag = bridge(subnet.id)
            lines += [
                f"dhcp-range=set:{tag},{network.network_address},static,{network.netmask},{LEASE}",
                f"dhcp-option=tag:{tag},option:router,{subnet.gateway}",
                f"dhcp-option=tag:{tag},option:dns-server,{resolver}",
            ]
        for zone in vpc.zones:
            lines += [f"server=/{zone.name}/127.0.0.1#{ZONES_PORT}", f"rebind-domain-ok=/{zone.name}/"]
        if vpc.guarded:
            lines.append(f"port={GUARDED_PORT}")
        for forward in vpc.forwards:
            lines += [f"server=/{forward.name}/{target}" for target in forward.targets or ("#",)]
            lines += [f"rebind-domain-ok=/{forward.name}/"]
        return "\n".join(lines) + "\n"


def running_dnsmasq(pid_file: Path, conf: Path) -> int | None:
    """Process id of the dnsmasq that runs with a configuration."""
    try:
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if f"--conf-file={conf}".encode() in command else None


def _name(address: str) -> str:
    return "ip-" + address.replace(".", "-")


def _names(address: str, hostname: str, domain: str) -> str:
    short = hostname.split(".")[0]
    return f"{address} {short}.{domain} {short}\n"


def _replace(path: Path, text: str) -> bool:
    """Write a file unless it has that content already; True when it changed."""
    with contextlib.suppress(OSError):
        if path.read_text() == text:
            return False
    aside = path.with_suffix(".new")
    aside.write_text(text)
    aside.chmod(0o644)
    aside.replace(path)
    return True
