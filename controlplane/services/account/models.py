"""The tables of the Account API."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class Contact(Base):
    """How an account's owner is reached. `kind` is PRIMARY, or BILLING, OPERATIONS, SECURITY; `details` as the API has
    them."""

    __tablename__ = "account_contacts"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
