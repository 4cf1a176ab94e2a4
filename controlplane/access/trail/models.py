"""Tables of the audit trail."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Identity, Index, Integer, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class TrailChunk(Base):
    """What one process saw of one account in one region within a second or so; holds no secrets.

    `events` is JSON: what the calls have in common once, and a line for each call (`reading.py`). `terms` says what a
    chunk can be looked up by. Days of calls are some thousands of rows, so that dropping them is cheap.
    """

    __tablename__ = "access_trail_chunks"
    __table_args__ = (Index("ix_access_trail_chunks_lookup", "account_id", "region", "category", "last_at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(Text)
    first_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    calls: Mapped[int] = mapped_column(Integer)
    dropped: Mapped[int] = mapped_column(Integer, server_default="0")
    """Calls of the account that were not recorded since the last chunk, because too many came at once."""
    terms: Mapped[list[str]] = mapped_column(ARRAY(Text))
    events: Mapped[bytes] = mapped_column(LargeBinary)


class TrailSelection(Base):
    """The data events that the trails of an account select: names of resource types such as `AWS::S3::Object`."""

    __tablename__ = "access_trail_selections"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    resource_types: Mapped[list[str]] = mapped_column(ARRAY(Text))
