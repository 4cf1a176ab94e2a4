"""Roles Anywhere's one table: trust anchors, profiles, revocation lists and the subjects that were seen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, DateTime, Index, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base

_OWN = ("account_id", "region")


class Resource(Base):
    """One resource. `content` is what its kind has besides, in the API's shapes; a subject's name is its subject."""

    __tablename__ = "rolesanywhere_resources"
    __table_args__ = (
        CheckConstraint("kind IN ('trust-anchor', 'profile', 'crl', 'subject')", name="kind"),
        Index(None, *_OWN, "kind"),
        Index(
            "uq_rolesanywhere_subjects",
            "account_id",
            "region",
            "name",
            unique=True,
            postgresql_where=text("kind = 'subject'"),
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(Boolean)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
