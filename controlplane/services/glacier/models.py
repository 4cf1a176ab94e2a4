"""Glacier's tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Identity, Index, PrimaryKeyConstraint, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class Vault(Base):
    """A vault. `lock` is its lock policy: `policy`, `id`, `since`, `until`; without `until` it is locked for ever."""

    __tablename__ = "glacier_vaults"
    __table_args__ = (UniqueConstraint("account_id", "region", "name"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    policy: Mapped[str | None] = mapped_column(Text)
    lock: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    notifications: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Archive(Base):
    """An archive, whole."""

    __tablename__ = "glacier_archives"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    vault_id: Mapped[int] = mapped_column(BigInteger, index=True)
    description: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    tree_hash: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Upload(Base):
    """An upload in parts that is not complete."""

    __tablename__ = "glacier_uploads"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    vault_id: Mapped[int] = mapped_column(BigInteger, index=True)
    description: Mapped[str] = mapped_column(Text)
    part_size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Piece(Base):
    """Bytes of an archive or of an upload (`holder` is its id), packed: `facts` tell how."""

    __tablename__ = "glacier_pieces"
    __table_args__ = (
        PrimaryKeyConstraint("holder", "start"),
        Index("ix_glacier_pieces_blob", "blob", postgresql_where=text("blob IS NOT NULL")),
    )

    holder: Mapped[str] = mapped_column(Text)
    start: Mapped[int] = mapped_column(BigInteger)
    account_id: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    tree_hash: Mapped[str] = mapped_column(Text)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    blob: Mapped[str] = mapped_column(Text)


class Job(Base):
    """A retrieval of an archive or an inventory. Its output lies in `blob`, opened with `salt`, until `expires_at`."""

    __tablename__ = "glacier_jobs"
    __table_args__ = (Index("ix_glacier_jobs_blob", "blob", postgresql_where=text("blob IS NOT NULL")),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    vault_id: Mapped[int] = mapped_column(BigInteger, index=True)
    action: Mapped[str] = mapped_column(Text)
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    archive: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    status: Mapped[str] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    size: Mapped[int | None] = mapped_column(BigInteger)
    tree_hash: Mapped[str | None] = mapped_column(Text)
    blob: Mapped[str | None] = mapped_column(Text)
    salt: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RetrievalPolicy(Base):
    """How much an account retrieves in a region."""

    __tablename__ = "glacier_retrieval_policies"
    __table_args__ = (PrimaryKeyConstraint("account_id", "region"),)

    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    rules: Mapped[list[Any]] = mapped_column(JSONB)
