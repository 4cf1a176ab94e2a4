"""SQS's tables. Times of messages are milliseconds since the epoch, as the API tells them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class Queue(Base):
    """A queue. `attributes` holds those that were set, as the API's strings."""

    __tablename__ = "sqs_queues"
    __table_args__ = (UniqueConstraint("account_id", "region", "name"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    fifo: Mapped[bool] = mapped_column(Boolean)
    attributes: Mapped[dict[str, str]] = mapped_column(JSONB)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    modified_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    purged_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class DeletedQueue(Base):
    """A name that was freed a short while ago, and may not be taken again yet."""

    __tablename__ = "sqs_deleted_queues"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    deleted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Message(Base):
    """A message. `id` gives the order, `receipt` counts up with each delivery and each change of visibility.

    Rows come and go at the full rate of the service: vacuum runs early and unthrottled (see the migration).
    """

    __tablename__ = "sqs_messages"
    __table_args__ = (
        Index("ix_sqs_messages_due", "queue_id", "visible_at", "id"),
        Index("ix_sqs_messages_group", "queue_id", "group_id", "id", postgresql_where=text("group_id IS NOT NULL")),
        Index("ix_sqs_messages_expiry", "expires_at", postgresql_using="brin"),
        Index("ix_sqs_messages_shared", "shared_id", postgresql_where=text("shared_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    queue_id: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[Any] = mapped_column(Uuid)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[int | None] = mapped_column(BigInteger)
    sender_id: Mapped[str] = mapped_column(Text)
    sent_at: Mapped[int] = mapped_column(BigInteger)
    visible_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(Integer, server_default="0")
    receipt: Mapped[int] = mapped_column(Integer, server_default="0")
    first_received_at: Mapped[int | None] = mapped_column(BigInteger)
    group_id: Mapped[str | None] = mapped_column(Text)
    deduplication_id: Mapped[str | None] = mapped_column(Text)
    source_arn: Mapped[str | None] = mapped_column(Text)
    shared_id: Mapped[Any | None] = mapped_column(Uuid)


class SharedContent(Base):
    """What messages have in common that were put into many queues at once; it goes when the last of them has gone."""

    __tablename__ = "sqs_shared_contents"

    id: Mapped[Any] = mapped_column(Uuid, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Deduplication(Base):
    """What a FIFO queue was sent in the last five minutes."""

    __tablename__ = "sqs_deduplications"

    queue_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    message_id: Mapped[Any] = mapped_column(Uuid)
    sequence: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True)


class DataKey(Base):
    """A data key of KMS, as KMS wrapped it, under which messages of a queue are encrypted."""

    __tablename__ = "sqs_data_keys"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    queue_id: Mapped[int] = mapped_column(BigInteger, index=True)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class MoveTask(Base):
    """A task that moves messages from a dead-letter queue."""

    __tablename__ = "sqs_move_tasks"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    source_id: Mapped[int] = mapped_column(BigInteger, index=True)
    source_arn: Mapped[str] = mapped_column(Text)
    destination_arn: Mapped[str | None] = mapped_column(Text)
    rate: Mapped[int | None] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(Text)
    moved: Mapped[int] = mapped_column(BigInteger, server_default="0")
    to_move: Mapped[int] = mapped_column(BigInteger)
    failure: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
