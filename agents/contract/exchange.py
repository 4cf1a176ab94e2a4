"""The calls between an agent and the control plane. All are HTTP with JSON bodies, made by the agent.

POST {endpoint}/_celaje/fleet/v1/join                       Join -> Joined        bearer: the cloud's join token
GET  {endpoint}/_celaje/fleet/v1/desired?after=N&wait=S     -> Desired            bearer: the host's token, as below
POST {endpoint}/_celaje/fleet/v1/observed                   Observed -> Noted
GET  {endpoint}/_celaje/fleet/v1/blobs/{sha256}             -> bytes
GET  {endpoint}/_celaje/fleet/v1/machines/{id}/credentials  -> Credentials  of its role; 404 without
PUT  {endpoint}/_celaje/fleet/v1/machines/{id}/console      raw bytes: the last 64 KiB of the serial console
POST {endpoint}/_celaje/fleet/v1/queries                    Queries: what guests asked where it is logged
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agents.contract.base import Document
from agents.contract.container import Container, ContainerReport
from agents.contract.machine import Machine, MachineReport
from agents.contract.network import Vpc

PREFIX = "/_celaje/fleet/v1"


class Capacity(Document):
    """What a host can give away."""

    vcpus: int
    memory_mib: int
    disk_gib: int


class Join(Document):
    """A host introduces itself. Joining again under the same name and kind renews its token.

    `kind` is what it runs: `hypervisor` or `container`. A machine that runs both joins twice, as two hosts.
    """

    name: str
    kind: str = "hypervisor"
    zone: str | None = None
    capacity: Capacity
    address: str
    facts: dict[str, str] = {}
    """Shown in `celaje status`: accelerator or engine, and `trouble` where something is not well; versions."""


class Joined(Document):
    """The host's identity and its token, told once. `cloud` is a short id that prefixes everything made on the host;
    `public_range` is the range that public addresses of this cloud come from. Its first quarter is given to nobody: the
    host's uplink takes the first address, the VPCs' routers take the others.
    """

    host: str
    token: str
    cloud: str
    public_range: str
    relay_key: str = ""
    """Hexadecimal; proves for whom this host relays (`agents.contract.relayed`). Empty in what was kept from a control
    plane that gave none."""


Wanted = Annotated[Machine | Vpc | Container, Field(discriminator="kind")]
Report = MachineReport | ContainerReport


class Change(Document):
    """One entry of the desired state: its document, or None when the thing must go."""

    kind: str
    id: str
    generation: int
    document: Wanted | None


class Desired(Document):
    """All changes after the asked generation, oldest first, one per thing. `generation` is the one to ask after next.

    `after=0` answers everything that the host must have, and what it has not yet reported as removed, with `complete`
    set: what is not in it is an orphan.
    The answer is held back up to `wait` seconds (at most 30) while there is nothing new.
    """

    generation: int
    complete: bool = False
    changes: tuple[Change, ...] = ()


class Observed(Document):
    """What the host sees. `applied` maps "kind/id" to the generation that it reflects.

    With `complete`, `machines` and `containers` hold all there are on the host, and those missing from them are gone.
    """

    complete: bool = False
    machines: tuple[MachineReport, ...] = ()
    containers: tuple[ContainerReport, ...] = ()
    applied: dict[str, int] = {}
    capacity: Capacity | None = None
    facts: dict[str, str] | None = None


class Noted(Document):
    """The control plane's answer to a report: machines or containers that it does not want on this host and confirms as
    orphans."""

    orphans: tuple[str, ...] = ()


class Credentials(Document):
    """Temporary credentials of an instance profile's role. Times in ISO 8601, UTC."""

    access_key_id: str
    secret_access_key: str
    token: str
    last_updated: str
    expiration: str
