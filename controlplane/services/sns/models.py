"""SNS's tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Double,
    Identity,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


def _created() -> Mapped[datetime]:
    return mapped_column(DateTime(timezone=True), server_default=func.now())


class Topic(Base):
    """A topic. `attributes` holds those that were set, as the API's strings. `version` counts the changes of its
    subscriptions, so that what was worked out from them is known to be old."""

    __tablename__ = "sns_topics"
    __table_args__ = (UniqueConstraint("account_id", "region", "name"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    fifo: Mapped[bool] = mapped_column(Boolean)
    attributes: Mapped[dict[str, str]] = mapped_column(JSONB)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    data_protection: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    deleted_subscriptions: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime] = _created()


class Subscription(Base):
    """A subscription; pending until somebody shows its `token`. `account_id` is the subscriber's."""

    __tablename__ = "sns_subscriptions"
    __table_args__ = (UniqueConstraint("topic_id", "protocol", "endpoint"),)

    id: Mapped[Any] = mapped_column(Uuid, primary_key=True)
    topic_id: Mapped[int] = mapped_column(BigInteger)
    topic_arn: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    region: Mapped[str] = mapped_column(Text)
    protocol: Mapped[str] = mapped_column(Text)
    endpoint: Mapped[str] = mapped_column(Text)
    attributes: Mapped[dict[str, str]] = mapped_column(JSONB)
    principal: Mapped[str] = mapped_column(Text)
    confirmed: Mapped[bool] = mapped_column(Boolean)
    authenticated: Mapped[bool] = mapped_column(Boolean)
    only_by_owner: Mapped[bool] = mapped_column(Boolean, server_default="false")
    token: Mapped[str | None] = mapped_column(Text, index=True)
    created_at: Mapped[datetime] = _created()


class Deduplication(Base):
    """What a FIFO topic was sent in the last five minutes."""

    __tablename__ = "sns_deduplications"

    topic_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    message_id: Mapped[Any] = mapped_column(Uuid)
    sequence: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True)


class Delivery(Base):
    """Something that is still to be sent to one endpoint. `content` is sealed; times are milliseconds."""

    __tablename__ = "sns_deliveries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    topic_id: Mapped[int | None] = mapped_column(BigInteger)
    subscription_id: Mapped[Any] = mapped_column(Uuid, index=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    due_at: Mapped[int] = mapped_column(BigInteger)


class SigningKey(Base):
    """The key pair with which this cloud signs notifications."""

    __tablename__ = "sns_signing_keys"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    sealed_key: Mapped[bytes] = mapped_column(LargeBinary)
    certificate: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = _created()


class SmsAccount(Base):
    """What an account has set for its text messages, in a region."""

    __tablename__ = "sns_sms_accounts"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
    attributes: Mapped[dict[str, str]] = mapped_column(JSONB)
    month: Mapped[str | None] = mapped_column(Text)
    spent: Mapped[float] = mapped_column(Double, server_default="0")
    """USD in that month (`2026-11`)."""


class SmsMonth(Base):
    """USD that text messages of all accounts have cost in a month (`2026-11`)."""

    __tablename__ = "sns_sms_months"

    month: Mapped[str] = mapped_column(Text, primary_key=True)
    spent: Mapped[float] = mapped_column(Double)


class OutboxMessage(Base):
    """A message for a phone (`kind` sms or push): `content` is sealed, `answer` the gateway's last word."""

    __tablename__ = "sns_outbox"

    id: Mapped[Any] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    region: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    answer: Mapped[str | None] = mapped_column(Text)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = _created()


class DeliveryReport(Base):
    """A line that waits to be written into a log group with a role; `content` is sealed."""

    __tablename__ = "sns_delivery_reports"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    log_group: Mapped[str] = mapped_column(Text)
    role_arn: Mapped[str | None] = mapped_column(Text)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = _created()


class OptedOutNumber(Base):
    """A phone number that wants no messages of an account."""

    __tablename__ = "sns_opted_out_numbers"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[str] = mapped_column(Text, primary_key=True)
    created_at: Mapped[datetime] = _created()


class SandboxNumber(Base):
    """A phone number that an account has entered for the SMS sandbox."""

    __tablename__ = "sns_sandbox_numbers"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[str] = mapped_column(Text, primary_key=True)
    code: Mapped[str] = mapped_column(Text)
    codes: Mapped[int] = mapped_column(Integer, server_default="1")
    """How many were sent since `codes_since`."""
    codes_since: Mapped[datetime] = _created()
    tried_at: Mapped[datetime] = _created()
    """When a code was last sent or entered."""
    verified: Mapped[bool] = mapped_column(Boolean, server_default="false")
    created_at: Mapped[datetime] = _created()


class PlatformApplication(Base):
    """An application of a mobile platform. `sealed` holds principal and credential."""

    __tablename__ = "sns_platform_applications"
    __table_args__ = (UniqueConstraint("account_id", "region", "platform", "name"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    platform: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    attributes: Mapped[dict[str, str]] = mapped_column(JSONB)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = _created()


class PlatformEndpoint(Base):
    """A device of an application."""

    __tablename__ = "sns_platform_endpoints"
    __table_args__ = (UniqueConstraint("application_id", "token"),)

    id: Mapped[Any] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    application_id: Mapped[int] = mapped_column(BigInteger, index=True)
    token: Mapped[str] = mapped_column(Text)
    attributes: Mapped[dict[str, str]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = _created()
