"""The table of things that need attention."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, Index, Integer, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class WorkItem(Base):
    """One key of one reconciler. `due_at` is when it must run next, `infinity` while it runs and nobody woke it since.

    A row with a lease is being run by `lease_owner`; once the lease is over, its worker is dead, and a sweep takes it
    back. Since the work itself may be what killed the worker, it then rests until `not_before`, even when it is woken.
    """

    __tablename__ = "work_items"
    __table_args__ = (
        Index("ix_work_items_due", "due_at"),
        Index("ix_work_items_lease", "lease_until", postgresql_where="lease_until IS NOT NULL"),
    )

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    not_before: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
