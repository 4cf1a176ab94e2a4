"""SES's tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, Index, Integer, LargeBinary, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


def _key() -> Mapped[str]:
    return mapped_column(Text, primary_key=True)


def _created() -> Mapped[datetime]:
    return mapped_column(DateTime(timezone=True), server_default=func.now())


class Identity(Base):
    """A mail address or a domain that an account sends from. `dkim` holds the public key, `sealed_key` the other.
    `settings`: topics by kind of notification, which of them get headers, MAIL FROM domain, forwarding of feedback."""

    __tablename__ = "ses_identities"

    account_id: Mapped[str] = _key()
    region: Mapped[str] = _key()
    name: Mapped[str] = _key()
    token: Mapped[str] = mapped_column(Text)
    verified: Mapped[bool] = mapped_column(Boolean)
    signs: Mapped[bool] = mapped_column(Boolean, server_default="false")
    dkim: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    sealed_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    policies: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = _created()


class Template(Base):
    """A template of mails."""

    __tablename__ = "ses_templates"

    account_id: Mapped[str] = _key()
    region: Mapped[str] = _key()
    name: Mapped[str] = _key()
    content: Mapped[dict[str, str]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = _created()


class Account(Base):
    """What an account has set in a region."""

    __tablename__ = "ses_accounts"

    account_id: Mapped[str] = _key()
    region: Mapped[str] = _key()
    paused: Mapped[bool] = mapped_column(Boolean, server_default="false")
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")


class ConfigurationSet(Base):
    """Settings by name for mails that are sent with it: `options` and the event destinations, by name, in the shapes of
    version 2 of the API."""

    __tablename__ = "ses_configuration_sets"

    account_id: Mapped[str] = _key()
    region: Mapped[str] = _key()
    name: Mapped[str] = _key()
    options: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    destinations: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = _created()


class Suppressed(Base):
    """An address that an account's mails do not go to any more, and why."""

    __tablename__ = "ses_suppressed"

    account_id: Mapped[str] = _key()
    region: Mapped[str] = _key()
    address: Mapped[str] = _key()
    reason: Mapped[str] = mapped_column(Text)
    cause: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    updated_at: Mapped[datetime] = _created()


class RuleSet(Base):
    """Receipt rules in their order, in the API's shape; one of an account's sets in a region is active."""

    __tablename__ = "ses_rule_sets"

    account_id: Mapped[str] = _key()
    region: Mapped[str] = _key()
    name: Mapped[str] = _key()
    rules: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")
    active: Mapped[bool] = mapped_column(Boolean, server_default="false")
    created_at: Mapped[datetime] = _created()


class ReceiptFilter(Base):
    """Whose connections mail is taken from, and whose it is not."""

    __tablename__ = "ses_receipt_filters"

    account_id: Mapped[str] = _key()
    region: Mapped[str] = _key()
    name: Mapped[str] = _key()
    ip_filter: Mapped[dict[str, str]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = _created()


class Notice(Base):
    """An event on its way to a topic of SNS."""

    __tablename__ = "ses_notices"

    id: Mapped[Any] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    topic: Mapped[str] = mapped_column(Text)
    source_arn: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = _created()


class Mail(Base):
    """A mail in the local mailbox. `content` is sealed: the mail as it would go over the wire. `received` from outside.
    `waiting` are recipients whom the relay has not been handed it for; `facts` what its events tell, and to whom."""

    __tablename__ = "ses_mails"
    __table_args__ = (Index("ix_ses_mails_box", "account_id", "region", "created_at"),)

    id: Mapped[Any] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    destinations: Mapped[list[str]] = mapped_column(JSONB)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    counted: Mapped[bool] = mapped_column(Boolean, server_default="true")
    received: Mapped[bool] = mapped_column(Boolean, server_default="false")
    bounced: Mapped[int] = mapped_column(Integer, server_default="0")
    complained: Mapped[int] = mapped_column(Integer, server_default="0")
    waiting: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = _created()


class Sent(Base):
    """How many recipients an account's mails had in a while, and until when that counts: for the `day`'s quota, a
    minute, and for the `burst` that the rate allows, a second."""

    __tablename__ = "ses_sent"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
    span: Mapped[str] = mapped_column(Text, primary_key=True)
    counts_until: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    recipients: Mapped[int] = mapped_column(BigInteger)


class Relay(Base):
    """The SMTP server through which mail leaves the cloud; one row or none."""

    __tablename__ = "ses_relay"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    port: Mapped[int] = mapped_column(Integer)
    tls: Mapped[str] = mapped_column(Text)
    username: Mapped[str] = mapped_column(Text)
    sealed_password: Mapped[bytes] = mapped_column(LargeBinary)
