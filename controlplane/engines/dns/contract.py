"""What a DNS server must do: answer for zones that are written into it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from controlplane.core.context import Unit

Choices = tuple[tuple[int, tuple[str, ...]], ...]
"""Weights and values."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a name answers for a type: one of the `choices`, drawn anew for each question. Who asks from a network in
    `near` gets that one's choices; of several networks the narrowest counts."""

    ttl: int
    choices: Choices
    near: tuple[tuple[str, Choices], ...] = ()


Zone = Mapping[tuple[str, str], Answer]
"""Answers by name and type. Names are absolute, in small letters and without the last dot; values are in the form of
zone files."""


@dataclass(frozen=True, slots=True)
class Question:
    """One that was answered. `at` is in seconds, `name` absolute and as it was asked, without the last dot; `subnet` is
    that of a resolver's client, where it told (EDNS client subnet)."""

    at: float
    name: str
    type: str
    rcode: str
    transport: str
    address: str
    subnet: str = ""


class Dns(Protocol):
    """Zones by name. A zone is of one writer; `write` and `remove` take effect with the commit of `db`."""

    async def write(self, db: Unit, name: str, owner: str, zone: Zone) -> bool:
        """Make the zone be just this; False when a zone of that name belongs to another owner."""

    async def remove(self, db: Unit, name: str, owner: str) -> None:
        """Take an owner's zone away; nothing happens when it has none."""

    async def sign(self, db: Unit, name: str, owner: str) -> str:
        """Have an owner's zone answer signed, with a zone-signing key of the engine's own; the value of its DNSKEY,
        always the same."""

    async def unsign(self, db: Unit, name: str, owner: str) -> None:
        """Have it answer without signatures, and forget its key."""

    async def publish_keys(self, name: str, records: Sequence[str]) -> None:
        """After the commit: what a signed zone answers for its DNSKEYs, as `TYPE TTL value`; none of a zone that is not
        signed. They come with their signatures: the engine does not have the key that makes these."""

    async def refresh(self, name: str) -> None:
        """After the commit: forget older answers. Raises EngineUnavailable while nothing answers."""

    def watches(self) -> bool:
        """Whether it is able to tell of questions."""

    async def watch(self, names: Collection[str]) -> bool:
        """After the commit: have the questions about these names and those below, and no others, told to whoever
        listens; False while the server is changing over, to be called again then. Raises EngineUnavailable."""

    async def owners(self, db: Unit, names: Collection[str]) -> Mapping[str, str]:
        """Whose zones answer now, by name: of these names and of all below them."""

    async def ask(self, name: str, type: str, network: str = "") -> tuple[str, list[str]]:
        """What is answered now to somebody in a network: the response code, such as `NOERROR`, and values. Raises
        EngineUnavailable."""
