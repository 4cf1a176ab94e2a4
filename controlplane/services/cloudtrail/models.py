"""The tables of CloudTrail. The events themselves are the trail's (`access/trail`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, LargeBinary, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class CloudTrailTrail(Base):
    """A trail. `settings` are those of CreateTrail, `selectors` those of PutEventSelectors (null: the default ones),
    `status` what GetTrailStatus tells of deliveries; `position` is the last chunk that was delivered."""

    __tablename__ = "cloudtrail_trails"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB)
    selectors: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    logging: Mapped[bool] = mapped_column(Boolean, server_default="false")
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    stopped_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    position: Mapped[int] = mapped_column(BigInteger, server_default="0")
    status: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    digest: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    """The files since the last digest, and that digest's place, hash and signature."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class CloudTrailDigestKey(Base):
    """The key pair that signs the digests of a region; the private half is sealed."""

    __tablename__ = "cloudtrail_digest_keys"

    fingerprint: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, unique=True)
    public: Mapped[bytes] = mapped_column(LargeBinary)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
