"""The tables of Route 53 Resolver."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, ForeignKey, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


def _now() -> Mapped[datetime]:
    return mapped_column(DateTime(timezone=True), server_default=func.now())


class Endpoint(Base):
    """Addresses in a VPC through which questions come in or go out; `addresses` in the API's shape."""

    __tablename__ = "route53resolver_endpoints"
    __table_args__ = (UniqueConstraint("account_id", "region", "request_id"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    direction: Mapped[str] = mapped_column(Text)
    vpc_id: Mapped[str] = mapped_column(Text)
    groups: Mapped[list[str]] = mapped_column(JSONB)
    addresses: Mapped[list[Any]] = mapped_column(JSONB)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = _now()
    modified_at: Mapped[datetime] = _now()


class Rule(Base):
    """Who answers for a name and all below it; `targets` in the API's shape."""

    __tablename__ = "route53resolver_rules"
    __table_args__ = (UniqueConstraint("account_id", "region", "request_id"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    rule_type: Mapped[str] = mapped_column(Text)
    domain: Mapped[str] = mapped_column(Text)
    targets: Mapped[list[Any]] = mapped_column(JSONB)
    endpoint_id: Mapped[str | None] = mapped_column(ForeignKey("route53resolver_endpoints.id"), index=True)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = _now()
    modified_at: Mapped[datetime] = _now()


class Association(Base):
    """A VPC in which a rule holds."""

    __tablename__ = "route53resolver_associations"
    __table_args__ = (UniqueConstraint("rule_id", "vpc_id"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    region: Mapped[str] = mapped_column(Text)
    rule_id: Mapped[str] = mapped_column(ForeignKey("route53resolver_rules.id", ondelete="CASCADE"))
    vpc_id: Mapped[str] = mapped_column(Text, index=True)
    name: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = _now()
