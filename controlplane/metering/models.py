"""The tables of metering."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Double, Identity, Index, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class UsageSpan(Base):
    """A time during which a resource costs something: a running machine, a disk that is there. `amount` is what counts
    of it in each unit of time, such as GB; `facts` says more of it (instance type, zone)."""

    __tablename__ = "usage_spans"
    __table_args__ = (
        Index("uq_usage_spans_open", "resource_id", "metric", unique=True, postgresql_where="ended_at IS NULL"),
        Index(None, "ended_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    resource_id: Mapped[str] = mapped_column(Text)
    metric: Mapped[str] = mapped_column(Text)
    amount: Mapped[float] = mapped_column(Double)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class UsageEntry(Base):
    """The ledger: how much of something one resource used in one period (an hour from `period` on). Written once."""

    __tablename__ = "usage_ledger"
    __table_args__ = (Index(None, "account_id", "period"),)

    period: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    resource_id: Mapped[str] = mapped_column(Text, primary_key=True)
    metric: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
    quantity: Mapped[float] = mapped_column(Double)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")


class UsagePeriod(Base):
    """A period whose spans stand in the ledger, each of them just once: this row is written together with them."""

    __tablename__ = "usage_periods"

    period: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class UsageFlush(Base):
    """A batch of counted requests that was added to the ledger, so that it is not added twice when its writer could not
    learn whether the commit went well."""

    __tablename__ = "usage_flushes"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
