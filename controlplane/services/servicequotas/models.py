"""The tables of Service Quotas, all called `servicequotas_…`. What was granted stands with the account."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, Double, Index, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class QuotaRequest(Base):
    """A request for more; the cloud's owner decides. One of a quota waits at a time."""

    __tablename__ = "servicequotas_requests"
    __table_args__ = (
        Index(
            "uq_servicequotas_requests_pending",
            "account_id",
            "region",
            "quota",
            unique=True,
            postgresql_where="status = 'PENDING'",
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    region: Mapped[str] = mapped_column(Text)
    quota: Mapped[str] = mapped_column(Text)
    value: Mapped[float] = mapped_column(Double)
    status: Mapped[str] = mapped_column(Text)
    requester: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class QuotaTags(Base):
    """The tags of one applied quota."""

    __tablename__ = "servicequotas_tags"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    arn: Mapped[str] = mapped_column(Text, primary_key=True)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB)
