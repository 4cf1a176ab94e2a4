"""SES's tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, DateTime, Index, LargeBinary, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


def _key() -> Mapped[str]:
    return mapped_column(Text, primary_key=True)


def _created() -> Mapped[datetime]:
    return mapped_column(DateTime(timezone=True), server_default=func.now())


class Identity(Base):
    """A mail address or a domain that an account sends from. `dkim` holds the public key, `sealed_key` the other."""

    __tablename__ = "ses_identities"

    account_id: Mapped[str] = _key()
    region: Mapped[str] = _key()
    name: Mapped[str] = _key()
    token: Mapped[str] = mapped_column(Text)
    verified: Mapped[bool] = mapped_column(Boolean)
    signs: Mapped[bool] = mapped_column(Boolean, server_default="false")
    dkim: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    sealed_key: Mapped[bytes | None] = mapped_column(LargeBinary)
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


class Mail(Base):
    """A mail in the local mailbox. `content` is sealed: the mail as it would go over the wire."""

    __tablename__ = "ses_mails"
    __table_args__ = (Index("ix_ses_mails_box", "account_id", "region", "created_at"),)

    id: Mapped[Any] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    destinations: Mapped[list[str]] = mapped_column(JSONB)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    counted: Mapped[bool] = mapped_column(Boolean, server_default="true")
    created_at: Mapped[datetime] = _created()
