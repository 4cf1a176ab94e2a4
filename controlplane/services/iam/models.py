"""IAM's tables that nobody else reads. Identities, policies and what authenticates are in `access/models.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class UserCredential(Base):
    """A signing certificate, an SSH public key or a service-specific credential of a user.

    `content` is what is shown of it; `fingerprint` tells a certificate or key uploaded twice; `digest` is the SHA-256
    of a service-specific password, which is as long as random bytes can make it.
    """

    __tablename__ = "iam_user_credentials"
    __table_args__ = (
        CheckConstraint("kind IN ('certificate', 'ssh-key', 'service')", name="kind"),
        UniqueConstraint("user_id", "kind", "fingerprint"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    user_id: Mapped[str] = mapped_column(ForeignKey("access_identities.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="Active")
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    fingerprint: Mapped[str | None] = mapped_column(Text)
    digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ServerCertificate(Base):
    """A certificate with its private key (sealed), for services that speak TLS."""

    __tablename__ = "iam_server_certificates"
    __table_args__ = (Index("uq_iam_server_certificates_name", "account_id", text("lower(name)"), unique=True),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    chain: Mapped[str | None] = mapped_column(Text)
    private_key: Mapped[bytes] = mapped_column(LargeBinary)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Report(Base):
    """A report or task as it was worked out: last accesses, the credential report, a role's deletion."""

    __tablename__ = "iam_reports"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    kind: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
