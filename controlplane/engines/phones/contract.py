"""What brings messages to phones: a server of the owner's, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["sms", "push"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a message. `final`: no further attempt is worth while. `gone`: the device is no more."""

    ok: bool
    status: int
    text: str
    final: bool = False
    gone: bool = False


class Gateways(Protocol):
    """One gateway, or none, for each kind of message."""

    def configured(self, kind: Kind) -> bool: ...
    def price(self, kind: Kind) -> float:
        """USD that a message costs."""
        ...

    async def send(self, kind: Kind, fields: Mapping[str, str]) -> Answer:
        """Hand a message over. Never raises: a gateway that cannot be reached is an answer that is not final."""
        ...
