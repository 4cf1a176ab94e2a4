"""The tables of Route 53 Resolver."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, ForeignKey, Integer, Text, UniqueConstraint, func
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


class QueryLogConfig(Base):
    """Where the questions of VPCs are written."""

    __tablename__ = "route53resolver_query_logs"
    __table_args__ = (UniqueConstraint("account_id", "region", "request_id"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    destination: Mapped[str] = mapped_column(Text)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = _now()


class QueryLogAssociation(Base):
    """A VPC whose questions are written. Those up to `position` were; `error` says why the last ones could not be, and
    `dropped` how many were given up since."""

    __tablename__ = "route53resolver_query_log_vpcs"
    __table_args__ = (UniqueConstraint("config_id", "vpc_id"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    region: Mapped[str] = mapped_column(Text)
    config_id: Mapped[str] = mapped_column(ForeignKey("route53resolver_query_logs.id", ondelete="CASCADE"))
    vpc_id: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(BigInteger, server_default="0")
    error: Mapped[str] = mapped_column(Text, server_default="NONE")
    message: Mapped[str | None] = mapped_column(Text)
    dropped: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime] = _now()


class DomainList(Base):
    """Names for rules of DNS Firewall, each with its last dot, sorted."""

    __tablename__ = "route53resolver_domain_lists"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    region: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    domains: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = _now()
    modified_at: Mapped[datetime] = _now()


class RuleGroup(Base):
    """Rules of DNS Firewall that are associated with VPCs together."""

    __tablename__ = "route53resolver_rule_groups"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    region: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = _now()
    modified_at: Mapped[datetime] = _now()


class FirewallRule(Base):
    """What is done with questions for the names of a list; `settings` holds the rest in the API's shape."""

    __tablename__ = "route53resolver_firewall_rules"
    __table_args__ = (UniqueConstraint("group_id", "priority"),)

    group_id: Mapped[str] = mapped_column(
        ForeignKey("route53resolver_rule_groups.id", ondelete="CASCADE"), primary_key=True
    )
    list_id: Mapped[str] = mapped_column(ForeignKey("route53resolver_domain_lists.id"), primary_key=True, index=True)
    qtype: Mapped[str] = mapped_column(Text, primary_key=True, server_default="")
    request_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(Integer)
    action: Mapped[str] = mapped_column(Text)
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = _now()
    modified_at: Mapped[datetime] = _now()


class GroupAssociation(Base):
    """A VPC in which a group's rules hold. A `protected` one is not taken away."""

    __tablename__ = "route53resolver_group_vpcs"
    __table_args__ = (UniqueConstraint("group_id", "vpc_id"), UniqueConstraint("vpc_id", "priority"))

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    region: Mapped[str] = mapped_column(Text)
    group_id: Mapped[str] = mapped_column(ForeignKey("route53resolver_rule_groups.id"))
    vpc_id: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(Integer)
    protected: Mapped[bool] = mapped_column(Boolean, server_default="false")
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = _now()
    modified_at: Mapped[datetime] = _now()
