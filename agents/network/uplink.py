"""The host's side of the network: where the VPCs' routers meet the host and, translated, the world beyond it.

Every VPC's router is joined to the host by its own veth pair; a public address is a route to that pair. No bridge:
two VPCs have no common wire, and the host routes between them like between any two customers of a provider.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from agents.names import Names, link_address
from agents.network.dhcp import running_dnsmasq
from agents.network.firewall import UPLINK
from agents.network.namespace import Namespace
from agents.runtime.files import write_durably
from agents.runtime.process import ToolFailed, run

log = logging.getLogger(__name__)

_LOOPBACK = "lo"


class RangeTaken(Exception):
    """The cloud's public range is in use on this host by something else."""


class Uplink:
    """Holds the cloud's public range on this host. `folder` is for files that need not survive a reboot.

    The first address of the range is the host's own; the routers of the VPCs take theirs from the rest of the first
    quarter, which the control plane gives to nobody.
    """

    def __init__(self, names: Names, public_range: str, home: Path, folder: Path) -> None:
        self._names = names
        self._range = IPv4Network(public_range)
        self._file = home / "routers.json"
        self._folder = folder
        self._host = Namespace(None)
        self._lock = asyncio.Lock()
        self._routers: dict[str, str] = json.loads(self._file.read_bytes()) if self._file.exists() else {}
        self._peers: dict[str, set[str]] = {}
        self.gateway = str(self._range[1])

    async def start(self) -> None:
        """Claim the range, open the host's firewall for it, and serve DNS to the routers. Idempotent."""
        await self._claim()
        await self._host.sysctl([("ipv4/ip_forward", "1")])
        await self._host.nft(self._ruleset())
        await self._pass_foreign_firewalls()
        await self._serve_names()

    async def connect(self, vpc: str, namespace: Namespace) -> str:
        """Join a VPC's router to the host; returns the router's address."""
        outer, router = self._names.uplink(vpc), self._router(vpc)
        outer_mac, inner_mac = link_address(outer, "host"), link_address(outer, "router")
        present = {link["ifname"] for link in await self._host.show("link")}
        if outer not in present:
            # The far end is made inside the namespace at once: nothing of it shows on the host even for a moment.
            await self._host.ip(
                f"link add {outer} address {outer_mac} type veth"
                f" peer name {UPLINK} address {inner_mac} netns {namespace.name}",
            )
        await self._host.ip(
            f"link set {outer} up",
            f"route replace {router}/32 dev {outer} src {self.gateway}",
            f"neighbor replace {router} lladdr {inner_mac} dev {outer} nud permanent",
        )
        await namespace.ip(
            f"link set {UPLINK} up",
            f"address replace {router}/32 dev {UPLINK}",
            f"route replace {self.gateway}/32 dev {UPLINK}",
            f"neighbor replace {self.gateway} lladdr {outer_mac} dev {UPLINK} nud permanent",
            f"route replace default via {self.gateway} dev {UPLINK} src {router}",
        )
        return router

    async def publish(self, vpc: str, addresses: set[str]) -> None:
        """Route exactly these public addresses to a VPC."""
        outer, router = self._names.uplink(vpc), self._router(vpc)
        if outside := [address for address in addresses if IPv4Address(address) not in self._range]:
            raise ValueError(f"public addresses outside of {self._range}: {', '.join(outside)}")
        routes = {route["dst"] for route in await self._host.show("route", "show", "dev", outer)} - {router}
        await self._host.ip(
            *(f"route delete {address} dev {outer}" for address in routes - addresses),
            *(f"route replace {a}/32 via {router} dev {outer} onlink src {self.gateway}" for a in addresses),
        )

    async def admit(self, vpc: str, hosts: set[str]) -> None:
        """Take a VPC's overlay packets from exactly these other hosts."""
        if self._peers.get(vpc, set()) != hosts:
            self._peers[vpc] = hosts
            await self._host.nft(self._ruleset())

    async def disconnect(self, vpc: str) -> None:
        """Remove a VPC's link; its routes go with it."""
        self._peers.pop(vpc, None)
        outer = self._names.uplink(vpc)
        if outer in {link["ifname"] for link in await self._host.show("link")}:
            await self._host.ip(f"link delete {outer}")
        if self._routers.pop(vpc, None):
            self._save()

    async def stop(self) -> None:
        """Undo `start`; to be called once no VPC is connected any more."""
        if (pid := self._resolver()) is not None:
            os.kill(pid, signal.SIGTERM)
        await self._host.nft(f"table inet {self._names.host_table}\ndelete table inet {self._names.host_table}\n")
        await self._close_foreign_firewalls()
        with contextlib.suppress(ToolFailed):
            await self._host.ip(f"route delete unreachable {self._range}")
        with contextlib.suppress(ToolFailed):
            await self._host.ip(f"address delete {self.gateway}/32 dev {_LOOPBACK}")

    async def _claim(self) -> None:
        label = f"{_LOOPBACK}:{self._names.uplink_prefix}"
        for link in await self._host.show("address"):
            for address in link["addr_info"]:
                if address["family"] != "inet" or address.get("label") == label:
                    continue
                if IPv4Address(address["local"]) in self._range:
                    raise RangeTaken(f"{address['local']} of {self._range} is an address of {link['ifname']} already")
        for route in await self._host.show("route", "show", "table", "main"):
            if route["dst"] == "default" or route.get("dev", "").startswith(self._names.uplink_prefix):
                continue
            taken = IPv4Network(route["dst"])
            if taken.overlaps(self._range) and route.get("type") != "unreachable":
                raise RangeTaken(f"the host has a route to {taken}, which overlaps {self._range}")
        await self._host.ip(
            f"address replace {self.gateway}/32 dev {_LOOPBACK} label {label}",
            f"route replace unreachable {self._range}",
        )

    def _router(self, vpc: str) -> str:
        if vpc not in self._routers:
            taken = set(self._routers.values())
            free = (str(self._range[i]) for i in range(2, self._range.num_addresses // 4))
            self._routers[vpc] = next(address for address in free if address not in taken)
            self._save()
        return self._routers[vpc]

    def _save(self) -> None:
        write_durably(self._file, json.dumps(self._routers).encode())

    def _ruleset(self) -> str:
        table, links = self._names.host_table, f'"{self._names.uplink_prefix}*"'
        peers = ", ".join(sorted(set().union(*self._peers.values())))
        return f"""
table inet {table}
delete table inet {table}
table inet {table} {{
    set peers {{
        type ipv4_addr
        {f"elements = {{ {peers} }}" if peers else ""}
    }}
    chain translate_out {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {self._range} ip daddr != {self._range} oifname != "lo" masquerade
    }}
    chain input {{
        type filter hook input priority filter; policy accept;
        udp dport {self._names.overlay_port} ip saddr != @peers drop
        iifname {links} jump from_guests
    }}
    chain from_guests {{
        ct state established,related accept
        ip daddr {self.gateway} meta l4proto {{ tcp, udp }} th dport 53 accept
        icmp type echo-request accept
        drop
    }}
}}
"""

    async def _pass_foreign_firewalls(self) -> None:
        """Let our links through forward chains that drop, as Docker and ufw set them up.

        In nftables a packet must be accepted by every chain of a hook; ours alone cannot let it through.
        """
        links = f"{self._names.uplink_prefix}*"
        for chain in await self._foreign_chains():
            family, table, name = chain["family"], chain["table"], chain["name"]
            present = await self._our_rules(family, table, name)
            script = [
                f'insert rule {family} {table} {name} {side} "{links}" accept comment "{self._names.host_table}"\n'
                for side in ("iifname", "oifname")
            ]
            if len(present) < len(script):
                await self._host.nft("".join(script))

    async def _close_foreign_firewalls(self) -> None:
        for chain in await self._foreign_chains():
            family, table, name = chain["family"], chain["table"], chain["name"]
            for handle in await self._our_rules(family, table, name):
                await self._host.nft(f"delete rule {family} {table} {name} handle {handle}\n")

    async def _foreign_chains(self) -> list[dict[str, str]]:
        listing = json.loads(await run(["nft", "-j", "list", "chains"]))["nftables"]
        chains = [entry["chain"] for entry in listing if "chain" in entry]
        return [
            chain
            for chain in chains
            if chain.get("hook") == "forward" and chain.get("policy") == "drop" and chain["family"] in ("ip", "inet")
        ]

    async def _our_rules(self, family: str, table: str, name: str) -> list[int]:
        listing = json.loads(await run(["nft", "-j", "-a", "list", "chain", family, table, name]))["nftables"]
        rules = [entry["rule"] for entry in listing if "rule" in entry]
        return [rule["handle"] for rule in rules if rule.get("comment") == self._names.host_table]

    async def _serve_names(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        conf = self._folder / "resolver.conf"
        conf.write_text(
            f"no-hosts\nbind-interfaces\nlisten-address={self.gateway}\nexcept-interface=lo\ncache-size=1000\n"
            f"pid-file={self._folder / 'resolver.pid'}\n"
        )
        if self._resolver() is None:
            await run(["dnsmasq", f"--conf-file={conf}"])

    def _resolver(self) -> int | None:
        return running_dnsmasq(self._folder / "resolver.pid", self._folder / "resolver.conf")
