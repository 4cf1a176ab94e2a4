"""The tables of Route 53, all called `route53_…`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class HostedZone(Base):
    """One hosted zone. Its row is locked by whatever changes its records. `version` grows with each change, `served` is
    the version that is answered. `dnskeys` are the keys of a signed zone with their signatures, and until when these
    hold; `leads` says where aliases to other services led when the zone was last worked out."""

    __tablename__ = "route53_zones"
    __table_args__ = (UniqueConstraint("account_id", "caller_reference"), Index(None, "account_id", "name", "id"))

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text, index=True)
    comment: Mapped[str | None] = mapped_column(Text)
    caller_reference: Mapped[str] = mapped_column(Text)
    private: Mapped[bool] = mapped_column(Boolean)
    delegation_set: Mapped[str | None] = mapped_column(Text, index=True)
    name_servers: Mapped[list[str]] = mapped_column(ARRAY(Text))
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    served: Mapped[int] = mapped_column(BigInteger, server_default="0")
    signing: Mapped[bool] = mapped_column(Boolean, server_default="false")
    dnskeys: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    leads: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class SigningKey(Base):
    """A key-signing key of a zone, its private half in KMS. `public_key` is the point, `message` says what is wrong."""

    __tablename__ = "route53_signing_keys"
    __table_args__ = (UniqueConstraint("zone_id", "kms_arn"),)

    zone_id: Mapped[str] = mapped_column(ForeignKey("route53_zones.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    caller_reference: Mapped[str] = mapped_column(Text)
    kms_arn: Mapped[str] = mapped_column(Text)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[str] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    modified_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class QueryLog(Base):
    """That a zone's questions are written into a group of CloudWatch Logs."""

    __tablename__ = "route53_query_logs"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    zone_id: Mapped[str] = mapped_column(ForeignKey("route53_zones.id", ondelete="CASCADE"), unique=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    group_arn: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ZoneVpc(Base):
    """A VPC in which a private zone answers; `account_id` is the VPC's."""

    __tablename__ = "route53_zone_vpcs"

    zone_id: Mapped[str] = mapped_column(ForeignKey("route53_zones.id", ondelete="CASCADE"), primary_key=True)
    vpc_id: Mapped[str] = mapped_column(Text, primary_key=True, index=True)
    vpc_region: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class VpcAuthorization(Base):
    """That the owner of a VPC may have a zone of somebody else's answer in it."""

    __tablename__ = "route53_vpc_authorizations"

    zone_id: Mapped[str] = mapped_column(ForeignKey("route53_zones.id", ondelete="CASCADE"), primary_key=True)
    vpc_id: Mapped[str] = mapped_column(Text, primary_key=True)
    vpc_region: Mapped[str] = mapped_column(Text)


class RecordSet(Base):
    """One resource record set, `content` in the API's own shape. `sort_key` is the name from its last label on."""

    __tablename__ = "route53_record_sets"
    __table_args__ = (Index(None, "zone_id", "sort_key", "type", "identifier"),)

    zone_id: Mapped[str] = mapped_column(ForeignKey("route53_zones.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    type: Mapped[str] = mapped_column(Text, primary_key=True)
    identifier: Mapped[str] = mapped_column(Text, primary_key=True, server_default="")
    sort_key: Mapped[str] = mapped_column(Text(collation="C"))
    health_check: Mapped[str | None] = mapped_column(Text, index=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)


class ZoneChange(Base):
    """What GetChange tells of: the zone's version that a request has made."""

    __tablename__ = "route53_changes"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    zone_id: Mapped[str] = mapped_column(Text, index=True)
    version: Mapped[int] = mapped_column(BigInteger)
    comment: Mapped[str | None] = mapped_column(Text)
    submitted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class DelegationSet(Base):
    """Four name servers that several zones may share."""

    __tablename__ = "route53_delegation_sets"
    __table_args__ = (UniqueConstraint("account_id", "caller_reference"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    caller_reference: Mapped[str] = mapped_column(Text)
    name_servers: Mapped[list[str]] = mapped_column(ARRAY(Text))


class HealthCheck(Base):
    """One health check, `config` in the API's own shape. `streak` counts observations in a row that contradict
    `healthy`; `report` is the last one's text."""

    __tablename__ = "route53_health_checks"
    __table_args__ = (UniqueConstraint("account_id", "caller_reference"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    caller_reference: Mapped[str] = mapped_column(Text)
    config: Mapped[dict[str, Any]] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    healthy: Mapped[bool] = mapped_column(Boolean, server_default="true")
    streak: Mapped[int] = mapped_column(Integer, server_default="0")
    report: Mapped[str | None] = mapped_column(Text)
    checked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    failure: Mapped[str | None] = mapped_column(Text)
    failed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class TrafficPolicy(Base):
    """One version of a traffic policy."""

    __tablename__ = "route53_traffic_policies"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    name: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    document: Mapped[str] = mapped_column(Text)
    comment: Mapped[str | None] = mapped_column(Text)


class TrafficInstance(Base):
    """A traffic policy that answers for a name; its record sets name it. It is applied when the zone's `zone_version`
    is answered."""

    __tablename__ = "route53_traffic_instances"
    __table_args__ = (UniqueConstraint("zone_id", "name", "type"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text, index=True)
    zone_id: Mapped[str] = mapped_column(ForeignKey("route53_zones.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    ttl: Mapped[int] = mapped_column(BigInteger)
    policy_id: Mapped[str] = mapped_column(Text, index=True)
    policy_version: Mapped[int] = mapped_column(Integer)
    zone_version: Mapped[int] = mapped_column(BigInteger)


class CidrCollection(Base):
    """Networks under names, for records that go by where a question comes from. `version` grows with each change."""

    __tablename__ = "route53_cidr_collections"
    __table_args__ = (UniqueConstraint("account_id", "name"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    caller_reference: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")


class CidrBlock(Base):
    """A network of a collection; it is in one location."""

    __tablename__ = "route53_cidr_blocks"

    collection_id: Mapped[str] = mapped_column(
        ForeignKey("route53_cidr_collections.id", ondelete="CASCADE"), primary_key=True
    )
    cidr: Mapped[str] = mapped_column(Text, primary_key=True)
    location: Mapped[str] = mapped_column(Text)
