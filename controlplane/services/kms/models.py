"""The tables of KMS. Key material is sealed under the root key; nothing here opens without it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class KmsKey(Base):
    """A key. Multi-region keys have one row a region, under the same id; `primary_region` is theirs alone."""

    __tablename__ = "kms_keys"
    __table_args__ = (
        CheckConstraint(
            "state IN ('Enabled', 'Disabled', 'PendingDeletion', 'PendingImport', 'PendingReplicaDeletion')",
            name="state",
        ),
        Index("ix_kms_keys_account_id_region_id", "account_id", "region", "id"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    description: Mapped[str] = mapped_column(Text, server_default="")
    manager: Mapped[str] = mapped_column(Text)
    spec: Mapped[str] = mapped_column(Text)
    usage: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    policy: Mapped[str] = mapped_column(Text)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    primary_region: Mapped[str | None] = mapped_column(Text)
    material_id: Mapped[str | None] = mapped_column(Text)
    """The material that encrypts and signs; older ones only decrypt."""
    rotation_days: Mapped[int | None] = mapped_column(Integer)
    rotates_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    pending_days: Mapped[int | None] = mapped_column(Integer)
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    """When a key that is pending deletion will be deleted."""


class KmsMaterial(Base):
    """One version of a key's material. `sealed` is null after imported material was deleted or has expired."""

    __tablename__ = "kms_materials"
    __table_args__ = (
        ForeignKeyConstraint(["key_id", "region"], ["kms_keys.id", "kms_keys.region"], ondelete="CASCADE"),
        CheckConstraint("state IN ('CURRENT', 'NON_CURRENT', 'PENDING_ROTATION')", name="state"),
    )

    key_id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    public: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(Text)
    expires: Mapped[bool] = mapped_column(Boolean, server_default="false")
    valid_to: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    description: Mapped[str | None] = mapped_column(Text)
    rotated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    rotation_type: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class KmsAlias(Base):
    """A second name of a key, `alias/…`."""

    __tablename__ = "kms_aliases"
    __table_args__ = (
        ForeignKeyConstraint(["key_id", "region"], ["kms_keys.id", "kms_keys.region"], ondelete="CASCADE"),
        Index("ix_kms_aliases_key_id_region", "key_id", "region"),
    )

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    key_id: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class KmsGrant(Base):
    """A grant: operations that a principal may do with a key, within constraints."""

    __tablename__ = "kms_grants"
    __table_args__ = (
        ForeignKeyConstraint(["key_id", "region"], ["kms_keys.id", "kms_keys.region"], ondelete="CASCADE"),
        Index("ix_kms_grants_key_id_region", "key_id", "region"),
        Index("ix_kms_grants_retiring", "retiring"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    key_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    grantee: Mapped[str] = mapped_column(Text)
    grantee_is_service: Mapped[bool] = mapped_column(Boolean, server_default="false")
    retiring: Mapped[str | None] = mapped_column(Text)
    retiring_is_service: Mapped[bool] = mapped_column(Boolean, server_default="false")
    issuer: Mapped[str] = mapped_column(Text)
    operations: Mapped[list[str]] = mapped_column(ARRAY(Text))
    constraints: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
