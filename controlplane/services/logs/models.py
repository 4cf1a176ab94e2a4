"""The tables of CloudWatch Logs. Times of events are milliseconds since the epoch, as the API tells them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


def _now() -> Mapped[datetime]:
    return mapped_column(DateTime(timezone=True), server_default=func.now())


class Group(Base):
    """A log group. `retention` is in days; without one events are kept for ever."""

    __tablename__ = "logs_groups"
    __table_args__ = (UniqueConstraint("account_id", "region", "name"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    class_: Mapped[str] = mapped_column("class", Text)
    retention: Mapped[int | None] = mapped_column(Integer)
    key_arn: Mapped[str | None] = mapped_column(Text)
    protected: Mapped[bool] = mapped_column(Boolean)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = _now()


class Stream(Base):
    """A stream of a group, with what was ever put into it: times of the first and last event, and what is stored."""

    __tablename__ = "logs_streams"
    __table_args__ = (UniqueConstraint("group_id", "name"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("logs_groups.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)
    first_at: Mapped[int | None] = mapped_column(BigInteger)
    last_at: Mapped[int | None] = mapped_column(BigInteger)
    ingested_at: Mapped[int | None] = mapped_column(BigInteger)
    size: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime] = _now()


class Batch(Base):
    """The events of one call of PutLogEvents, packed; `first_at` and `last_at` are their earliest and latest time.

    Without foreign keys: what a deleted stream or group held goes behind the request, in portions.
    """

    __tablename__ = "logs_batches"
    __table_args__ = (
        Index("ix_logs_batches_first", "stream_id", "first_at", "id"),
        Index("ix_logs_batches_last", "stream_id", "last_at", "id"),
        Index("ix_logs_batches_group", "group_id", "first_at", "id"),
        Index("ix_logs_batches_group_last", "group_id", "last_at", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    group_id: Mapped[int] = mapped_column(BigInteger)
    stream_id: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[int] = mapped_column(BigInteger)
    last_at: Mapped[int] = mapped_column(BigInteger)
    ingested_at: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int] = mapped_column(BigInteger)
    key_id: Mapped[int | None] = mapped_column(BigInteger)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class DataKey(Base):
    """A data key of KMS, as KMS wrapped it, under which events of a group are encrypted."""

    __tablename__ = "logs_data_keys"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("logs_groups.id", ondelete="CASCADE"), index=True)
    key_arn: Mapped[str] = mapped_column(Text)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = _now()


class ResourcePolicy(Base):
    """A policy that lets services write into the account's groups."""

    __tablename__ = "logs_resource_policies"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    document: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = _now()
