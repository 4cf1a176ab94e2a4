"""S3's tables. Keys are bytes: their order is that of UTF-8, and they may hold whatever a name may hold."""

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
    PrimaryKeyConstraint,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class Bucket(Base):
    """A bucket. `settings` holds one document for each sub-resource that was set, by its name."""

    __tablename__ = "s3_buckets"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    region: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text, unique=True)
    versioning: Mapped[str | None] = mapped_column(Text)
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class AccountBlock(Base):
    """What of public access an account blocks in all its buckets."""

    __tablename__ = "s3_account_blocks"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    block: Mapped[dict[str, Any]] = mapped_column(JSONB)


class StoredVersion:
    """The columns of a version of an object.

    `version` is null for the version that the API calls `null`. `place` orders versions, the newest first. The bytes
    lie sealed in `content`, in a `blob`, or in the parts of the upload `upload_id`, which has so many `parts`.
    `facts` holds what was said when it was written: type, headers, metadata, checksums, how it is sealed.
    `account_id` is the bucket's owner, `owner` the object's where it is another.
    """

    bucket_id: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[bytes] = mapped_column(LargeBinary)
    version: Mapped[str | None] = mapped_column(Text)
    marker: Mapped[bool] = mapped_column(Boolean, server_default="false")
    account_id: Mapped[str] = mapped_column(Text)
    owner: Mapped[str | None] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    etag: Mapped[str] = mapped_column(Text)
    modified_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    storage_class: Mapped[str | None] = mapped_column(Text)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    tags: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    acl: Mapped[list[Any] | None] = mapped_column(JSONB)
    lock_mode: Mapped[str | None] = mapped_column(Text)
    lock_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    legal_hold: Mapped[bool] = mapped_column(Boolean, server_default="false")
    upload_id: Mapped[str | None] = mapped_column(Text)
    parts: Mapped[int | None] = mapped_column(Integer)
    blob: Mapped[str | None] = mapped_column(Text)
    content: Mapped[bytes | None] = mapped_column(LargeBinary)


class Object(StoredVersion, Base):
    """The current version of each key that has one which is no delete marker: what a listing shows."""

    __tablename__ = "s3_objects"
    __table_args__ = (
        PrimaryKeyConstraint("bucket_id", "key"),
        Index("ix_s3_objects_blob", "blob", postgresql_where=text("blob IS NOT NULL")),
    )

    place: Mapped[int] = mapped_column(BigInteger)


class Version(StoredVersion, Base):
    """All other versions: those that are not current, and delete markers."""

    __tablename__ = "s3_versions"
    __table_args__ = (
        PrimaryKeyConstraint("bucket_id", "key", "place"),
        Index("ix_s3_versions_blob", "blob", postgresql_where=text("blob IS NOT NULL")),
    )

    place: Mapped[int] = mapped_column(BigInteger)


class Upload(Base):
    """A multipart upload that is not complete. `object` holds the columns that its object will have."""

    __tablename__ = "s3_uploads"
    __table_args__ = (Index("ix_s3_uploads_key", "bucket_id", "key", "id"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    bucket_id: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[bytes] = mapped_column(LargeBinary)
    account_id: Mapped[str] = mapped_column(Text)
    initiator: Mapped[str] = mapped_column(Text)
    object: Mapped[dict[str, Any]] = mapped_column(JSONB)
    completed: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Part(Base):
    """A part of an upload; it stays when its upload has become an object. `start` is where it begins in that."""

    __tablename__ = "s3_parts"
    __table_args__ = (Index("ix_s3_parts_blob", "blob", postgresql_where=text("blob IS NOT NULL")),)

    upload_id: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    start: Mapped[int | None] = mapped_column(BigInteger)
    etag: Mapped[str] = mapped_column(Text)
    modified_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    blob: Mapped[str | None] = mapped_column(Text)
    content: Mapped[bytes | None] = mapped_column(LargeBinary)


class AccessPoint(Base):
    """A further name of a bucket, with a policy of its own."""

    __tablename__ = "s3_access_points"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "region", "name"),
        Index("ix_s3_access_points_alias", "alias", unique=True),
        Index("ix_s3_access_points_bucket", "bucket"),
    )

    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    alias: Mapped[str] = mapped_column(Text)
    bucket: Mapped[str] = mapped_column(Text)
    bucket_account_id: Mapped[str] = mapped_column(Text)
    block: Mapped[dict[str, Any]] = mapped_column(JSONB)
    policy: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    policy_text: Mapped[str | None] = mapped_column(Text)
    vpc_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Restore(Base):
    """A copy of an archived version that was asked for; with `expires_at` it is there. `blob` is opened with `salt`;
    without one the version's own bytes can be read meanwhile."""

    __tablename__ = "s3_restores"
    __table_args__ = (
        PrimaryKeyConstraint("bucket_id", "key", "place"),
        Index("ix_s3_restores_blob", "blob", postgresql_where=text("blob IS NOT NULL")),
    )

    bucket_id: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[bytes] = mapped_column(LargeBinary)
    place: Mapped[int] = mapped_column(BigInteger)
    account_id: Mapped[str] = mapped_column(Text)
    tier: Mapped[str] = mapped_column(Text)
    days: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    blob: Mapped[str | None] = mapped_column(Text)
    salt: Mapped[str | None] = mapped_column(Text)


class Replication(Base):
    """A version that a rule has copied to another bucket, and that is not there yet."""

    __tablename__ = "s3_replications"
    __table_args__ = (Index("ix_s3_replications_version", "bucket_id", "key", "place"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    bucket_id: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[bytes] = mapped_column(LargeBinary)
    place: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    rule: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Usage(Base):
    """What a bucket held of a storage class when it was last counted."""

    __tablename__ = "s3_usage"
    __table_args__ = (PrimaryKeyConstraint("bucket_id", "storage_class"),)

    bucket_id: Mapped[int] = mapped_column(BigInteger)
    storage_class: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    objects: Mapped[int] = mapped_column(BigInteger)
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class AccessLine(Base):
    """A line of a bucket's access log that is not delivered yet."""

    __tablename__ = "s3_access_lines"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    bucket_id: Mapped[int] = mapped_column(BigInteger, index=True)
    account_id: Mapped[str] = mapped_column(Text)
    line: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Event(Base):
    """An event that its target has not been told of."""

    __tablename__ = "s3_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    bucket: Mapped[str] = mapped_column(Text)
    service: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Scrub(Base):
    """How far the scrubber is in its present round, and what it found wrong."""

    __tablename__ = "s3_scrubs"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    position: Mapped[str] = mapped_column(Text, server_default="")
    round_began_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    verified: Mapped[int] = mapped_column(BigInteger, server_default="0")
    corrupt: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")
