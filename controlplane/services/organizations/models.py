"""The tables of Organizations, all called `organizations_…`. What all others need of them stands with the account."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, ForeignKey, Index, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class Organization(Base):
    """One organization with its only root. Its row is locked by whatever changes anything in it."""

    __tablename__ = "organizations_organizations"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    management_id: Mapped[str] = mapped_column(Text, unique=True)
    root_id: Mapped[str] = mapped_column(Text, unique=True)
    feature_set: Mapped[str] = mapped_column(Text)
    policy_types: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    resource_policy_id: Mapped[str | None] = mapped_column(Text)
    resource_policy: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    resource_policy_text: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class OrganizationalUnit(Base):
    """A unit; its parent is the root or another unit."""

    __tablename__ = "organizations_units"
    __table_args__ = (UniqueConstraint("parent_id", "name"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations_organizations.id", ondelete="CASCADE"), index=True
    )
    parent_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Member(Base):
    """An account in an organization, the management account included. An account is in one organization at most."""

    __tablename__ = "organizations_members"

    member_id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations_organizations.id", ondelete="CASCADE"), index=True
    )
    parent_id: Mapped[str] = mapped_column(Text, index=True)
    joined_method: Mapped[str] = mapped_column(Text)
    joined_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Policy(Base):
    """A policy of whatever type; the content is kept as it was sent."""

    __tablename__ = "organizations_policies"
    __table_args__ = (UniqueConstraint("organization_id", "type", "name"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations_organizations.id", ondelete="CASCADE"))
    type: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class PolicyAttachment(Base):
    """A policy (AWS's own included) on a root, a unit or an account."""

    __tablename__ = "organizations_attachments"

    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations_organizations.id", ondelete="CASCADE"), primary_key=True
    )
    target_id: Mapped[str] = mapped_column(Text, primary_key=True)
    policy_id: Mapped[str] = mapped_column(Text, primary_key=True, index=True)
    type: Mapped[str] = mapped_column(Text)


class AccountRequest(Base):
    """A call of CreateAccount and what became of it."""

    __tablename__ = "organizations_account_requests"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations_organizations.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    role_name: Mapped[str] = mapped_column(Text)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    state: Mapped[str] = mapped_column(Text, server_default="IN_PROGRESS")
    failure: Mapped[str | None] = mapped_column(Text)
    created_id: Mapped[str | None] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Handshake(Base):
    """An invitation, or a step on the way to all features. `target_type` is ACCOUNT or EMAIL."""

    __tablename__ = "organizations_handshakes"
    __table_args__ = (
        Index(
            "uq_organizations_handshakes_open",
            "organization_id",
            "action",
            "target",
            unique=True,
            postgresql_where="state IN ('OPEN', 'REQUESTED')",
        ),
        Index(None, "target"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations_organizations.id", ondelete="CASCADE"))
    action: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    target_type: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text)
    parent_handshake: Mapped[str | None] = mapped_column(Text)
    notes: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Delegation(Base):
    """An account that is delegated administrator for a service."""

    __tablename__ = "organizations_delegations"

    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations_organizations.id", ondelete="CASCADE"), primary_key=True
    )
    member_id: Mapped[str] = mapped_column(Text, primary_key=True)
    service: Mapped[str] = mapped_column(Text, primary_key=True)
    enabled_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class TrustedService(Base):
    """A service that may act in all accounts of the organization."""

    __tablename__ = "organizations_trusted_services"

    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations_organizations.id", ondelete="CASCADE"), primary_key=True
    )
    service: Mapped[str] = mapped_column(Text, primary_key=True)
    enabled_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ResourceTag(Base):
    """One tag of a root, a unit, an account, a policy or the resource policy."""

    __tablename__ = "organizations_tags"

    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organizations_organizations.id", ondelete="CASCADE"), primary_key=True
    )
    resource_id: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text)
