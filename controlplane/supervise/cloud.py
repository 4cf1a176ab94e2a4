"""The processes of a cloud, in the order in which they start."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

from controlplane.engines.dns import front, process
from controlplane.engines.dns.powerdns import PowerDns
from controlplane.settings import Settings
from controlplane.state.embedded import Owner, Postgres, Valkey
from controlplane.supervise.spec import Spec, Stage

_HOST_DOCKER = Path("/run/docker.sock")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def stages(settings: Settings, owner: Owner, listening: int) -> list[Stage]:
    """What runs for these settings. `listening` is the descriptor of the endpoint's socket, shared by all gateways:
    connections wait in its queue while a worker is being replaced."""

    def ours(name: str, module: str, *arguments: str, once: bool = False, sockets: tuple[int, ...] = ()) -> Spec:
        return Spec(
            name,
            (sys.executable, "-m", module, *arguments),
            environment={**settings.environment(), "HOME": str(settings.home), "MALLOC_ARENA_MAX": "2"},
            owner=owner,
            once=once,
            sockets=sockets,
        )

    gateways = [
        ours(
            f"gateway-{number}",
            "controlplane.supervise.gateway",
            f"gateway-{number}",
            str(listening),
            sockets=(listening,),
        )
        for number in range(1, settings.gateway_workers + 1)
    ]
    work = [ours("worker", "controlplane.worker", "worker"), ours("beat", "controlplane.worker", "beat")]
    plan: list[Stage] = [
        _engines(settings, owner),
        (ours("bootstrap", "controlplane.supervise.bootstrap", once=True),),
        (*gateways, *work),
    ]
    mail = ours("mail", "controlplane.supervise.mail")
    plan.append((mail if settings.smtp_certificate else replace(mail, wanted=settings.smtp_wanted),))
    if process.installed():
        told = replace(ours("dns-log", "controlplane.supervise.dnslog"), wanted=front.inner(settings.run))
        plan.append((_dns(settings, owner), _front(settings, owner), told))
    agents = []
    if agent_reason(settings) is None:
        agents.append(_agent(settings, "agent", "agents.runtime"))
    if containers_reason(settings) is None:
        agents.append(_agent(settings, "containers", "agents.container"))
    plan.append(tuple(agents))
    return [stage for stage in plan if stage]


def agent_reason(settings: Settings) -> str | None:
    """Why there is no hypervisor agent on this machine; None when there is one."""
    return _reason(settings.agent, "agent")


def containers_reason(settings: Settings) -> str | None:
    """Why there is no container agent on this machine; None when there is one."""
    if reason := _reason(settings.containers, "containers"):
        return reason
    if not _HOST_DOCKER.exists() and shutil.which("dockerd", path=_SYSTEM_PATH) is None:
        return "Docker is not installed (Debian's package is docker.io)"
    return None


def _reason(wanted: bool, setting: str) -> str | None:
    if not wanted:
        return f"turned off by the setting `{setting}`"
    if os.geteuid() != 0:
        return "it needs root: run `sudo celaje up`"
    return None


def _engines(settings: Settings, owner: Owner) -> Stage:
    engines = []
    if settings.database_url is None:
        postgres = Postgres(settings.home, owner)
        engines.append(
            Spec(
                "postgres",
                tuple(postgres.command()),
                owner=owner,
                probe=postgres.healthy,
                prepare=postgres.prepare,
                stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
            )
        )
    if settings.broker_url is None:
        valkey = Valkey(settings.home)
        engines.append(
            Spec("valkey", tuple(valkey.command()), owner=owner, probe=valkey.healthy, prepare=valkey.prepare)
        )
    return tuple(engines)


def _dns(settings: Settings, owner: Owner) -> Spec:
    server = process.Server(settings.home / "etc", settings.run, settings.database, settings.dns_address, owner.gid)
    return Spec(
        "dns",
        tuple(server.command()),
        owner=owner,
        probe=server.healthy,
        prepare=server.prepare,
        wanted=PowerDns(settings.run, settings.dns_address).wanted,
    )


def _front(settings: Settings, owner: Owner) -> Spec:
    server = front.Front(settings.home / "etc", settings.run, settings.dns_address)
    return Spec(
        "dns-front",
        tuple(server.command()),
        owner=owner,
        probe=server.healthy,
        prepare=server.prepare,
        wanted=server.wanted,
    )


def _agent(settings: Settings, name: str, module: str) -> Spec:
    return Spec(
        name,
        (
            *(sys.executable, "-m", module),
            *("--home", str(settings.home / name)),
            *("--endpoint", settings.endpoint),
            *("--name", settings.host_name),
            *("--join-token-file", str(settings.join_token)),
        ),
        environment={"HOME": "/root", "MALLOC_ARENA_MAX": "2"},
        stop_seconds=20,
    )
