"""What all documents share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """A frozen document; unknown members are refused, so that both sides notice when they drift apart."""

    model_config = ConfigDict(frozen=True, extra="forbid")
