"""Tables of accounts, identities, their policies and credentials.

Users, groups and roles share one table: they share names, paths, tags and attached policies. Temporary credentials have
no table at all: their tokens carry everything, sealed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base

_OPEN = text("closed_at IS NULL")


class Account(Base):
    """One account. A closed one keeps its row, so that its id is never given again; its name and address are free.

    `regions` are those that it has opted in to.
    `organization` is what Organizations tells everybody else: id, path and the levels of policies above the account.
    """

    __tablename__ = "access_accounts"
    __table_args__ = (
        Index("uq_access_accounts_name", "name", unique=True, postgresql_where=_OPEN),
        Index("uq_access_accounts_alias", "alias", unique=True, postgresql_where=_OPEN),
        Index("uq_access_accounts_email", text("lower(email)"), unique=True, postgresql_where=_OPEN),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    freed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    regions: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    organization: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    alias: Mapped[str | None] = mapped_column(Text)
    password_policy: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    token_version: Mapped[int] = mapped_column(Integer, server_default="1")


class IamIdentity(Base):
    """A user, a group or a role; what only roles have is null elsewhere. Names are unique whatever their case."""

    __tablename__ = "access_identities"
    __table_args__ = (
        CheckConstraint("kind IN ('user', 'group', 'role')", name="kind"),
        CheckConstraint("(kind = 'role') = (trust_policy IS NOT NULL)", name="trust"),
        Index("uq_access_identities_name", "account_id", "kind", text("lower(name)"), unique=True),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("access_accounts.id"))
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    boundary_arn: Mapped[str | None] = mapped_column(ForeignKey("access_policies.arn"), index=True)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    trust_policy: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    max_session_seconds: Mapped[int | None] = mapped_column(Integer)
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_region: Mapped[str | None] = mapped_column(Text)


class Membership(Base):
    """A user in a group."""

    __tablename__ = "access_memberships"

    group_id: Mapped[str] = mapped_column(ForeignKey("access_identities.id"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("access_identities.id"), primary_key=True, index=True)


class ManagedPolicy(Base):
    """A managed policy; AWS's own have no account. `last_version` counts on: numbers are never given twice."""

    __tablename__ = "access_policies"
    __table_args__ = (Index("uq_access_policies_name", "account_id", text("lower(name)"), unique=True),)

    arn: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[str] = mapped_column(Text, unique=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("access_accounts.id"))
    name: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    default_version: Mapped[int] = mapped_column(Integer)
    last_version: Mapped[int] = mapped_column(Integer)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class PolicyCatalog(Base):
    """Which list of AWS's own policies the database holds."""

    __tablename__ = "access_catalogs"

    fingerprint: Mapped[str] = mapped_column(Text, primary_key=True)


class PolicyVersion(Base):
    """One version of a managed policy; the document is kept as it was sent."""

    __tablename__ = "access_policy_versions"

    policy_arn: Mapped[str] = mapped_column(ForeignKey("access_policies.arn", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    document: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Attachment(Base):
    """A managed policy attached to an identity; the foreign keys make deleting either a conflict."""

    __tablename__ = "access_attachments"

    identity_id: Mapped[str] = mapped_column(ForeignKey("access_identities.id"), primary_key=True)
    policy_arn: Mapped[str] = mapped_column(ForeignKey("access_policies.arn"), primary_key=True, index=True)
    attached_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class InlinePolicy(Base):
    """A policy written into an identity."""

    __tablename__ = "access_inline_policies"

    identity_id: Mapped[str] = mapped_column(ForeignKey("access_identities.id"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    document: Mapped[str] = mapped_column(Text)


class InstanceProfile(Base):
    """The holder of the one role that an instance gets."""

    __tablename__ = "access_instance_profiles"
    __table_args__ = (Index("uq_access_instance_profiles_name", "account_id", text("lower(name)"), unique=True),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("access_accounts.id"))
    name: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    role_id: Mapped[str | None] = mapped_column(ForeignKey("access_identities.id"), index=True)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class AccessKey(Base):
    """A long-lived access key of a user, or of the account's root where `user_id` is null. The secret is sealed."""

    __tablename__ = "access_keys"
    __table_args__ = (CheckConstraint("status IN ('Active', 'Inactive')", name="status"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("access_accounts.id"), index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("access_identities.id"), index=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[str] = mapped_column(Text, server_default="Active")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_region: Mapped[str | None] = mapped_column(Text)
    last_used_service: Mapped[str | None] = mapped_column(Text)


class Password(Base):
    """The console password of a user, as an Argon2id text; `earlier` are those before it, newest first."""

    __tablename__ = "access_passwords"

    user_id: Mapped[str] = mapped_column(ForeignKey("access_identities.id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(Text)
    earlier: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")
    reset_required: Mapped[bool] = mapped_column(Boolean, server_default="false")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class MfaDevice(Base):
    """A virtual MFA device. `owner_id` is the user's id, or the account's for root; null until it is enabled. The seed
    is sealed. `last_step` is the time step of the last code that was taken: none is taken twice."""

    __tablename__ = "access_mfa_devices"

    serial: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("access_accounts.id"), index=True)
    owner_id: Mapped[str | None] = mapped_column(Text, index=True)
    name: Mapped[str] = mapped_column(Text)
    seed: Mapped[bytes] = mapped_column(LargeBinary)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    enabled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")
    drift: Mapped[int] = mapped_column(Integer, server_default="0")


class Attempts(Base):
    """Wrong passwords and codes in a row, by what was guessed at. Written outside of the request's transaction."""

    __tablename__ = "access_attempts"

    target: Mapped[str] = mapped_column(Text, primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class IdentityProvider(Base):
    """An OIDC or SAML provider. `content` holds client ids and thumbprints, or the metadata document."""

    __tablename__ = "access_providers"
    __table_args__ = (CheckConstraint("kind IN ('oidc', 'saml')", name="kind"),)

    arn: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str] = mapped_column(ForeignKey("access_accounts.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    valid_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ServiceUse(Base):
    """When a user or role last called a service, for the last-accessed reports."""

    __tablename__ = "access_service_uses"

    identity_id: Mapped[str] = mapped_column(Text, primary_key=True)
    prefix: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    region: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class QuotaGrant(Base):
    """What a quota is for an account, where it is not the default; an empty region means all of them."""

    __tablename__ = "access_quota_grants"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
    code: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[float] = mapped_column(Double)
    granted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class RecordedDecision(Base):
    """One decision of the policy engine, for the audit trail and `celaje explain`. Holds no secrets."""

    __tablename__ = "access_decisions"
    __table_args__ = (Index("ix_access_decisions_account_id_at", "account_id", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    request_id: Mapped[str] = mapped_column(Text, index=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    account_id: Mapped[str] = mapped_column(Text)
    principal: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    resource: Mapped[str] = mapped_column(Text)
    allowed: Mapped[bool] = mapped_column(Boolean)
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
