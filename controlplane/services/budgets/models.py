"""The tables of Budgets, all called `budgets_…`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Double, ForeignKeyConstraint, Identity, Index, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


def _of_budget() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["account_id", "budget"], ["budgets_budgets.account_id", "budgets_budgets.name"], ondelete="CASCADE"
    )


class Budget(Base):
    """One budget. `content` is what was asked for, in the API's own shape. Its row is locked by whatever changes it or
    what belongs to it. `period` is the beginning of the period that was looked at last."""

    __tablename__ = "budgets_budgets"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    starts_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    period: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    actual: Mapped[float] = mapped_column(Double, server_default="0")
    forecast: Mapped[float | None] = mapped_column(Double)
    budgeted: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class BudgetNotification(Base):
    """Who is told when a threshold is passed. `told_in` is the period in which they were."""

    __tablename__ = "budgets_notifications"
    __table_args__ = (
        _of_budget(),
        Index(
            "uq_budgets_notifications",
            "account_id",
            "budget",
            "type",
            "operator",
            "threshold",
            "threshold_type",
            unique=True,
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    budget: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    operator: Mapped[str] = mapped_column(Text)
    threshold: Mapped[float] = mapped_column(Double)
    threshold_type: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default="OK")
    told_in: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    subscribers: Mapped[list[dict[str, str]]] = mapped_column(JSONB)


class BudgetAction(Base):
    """What is done when a threshold is passed. `content` is in the API's own shape."""

    __tablename__ = "budgets_actions"
    __table_args__ = (_of_budget(), Index(None, "account_id", "budget"))

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    budget: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    status: Mapped[str] = mapped_column(Text, server_default="STANDBY")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class BudgetActionHistory(Base):
    """One thing that happened to an action, with the action as it was then."""

    __tablename__ = "budgets_action_histories"
    __table_args__ = (Index(None, "action_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    action_id: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    status: Mapped[str] = mapped_column(Text)
    event: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    action: Mapped[dict[str, Any]] = mapped_column(JSONB)


class BudgetMessage(Base):
    """The outbox: what is told to one subscriber. `sent_at` is empty until it is handed on."""

    __tablename__ = "budgets_messages"
    __table_args__ = (Index(None, "account_id", "budget"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    budget: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    failure: Mapped[str | None] = mapped_column(Text)
