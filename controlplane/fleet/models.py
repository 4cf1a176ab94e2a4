"""Hosts, what they have given away, what they must have and what they reported."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.state.base import Base


class Host(Base):
    """A machine of the owner's that runs an agent; one that runs an agent of each kind is two hosts.

    `*_free` is what may still be given away, overcommit included.

    Only `placement` takes from it, and only where there is enough; it is negative while a host that has shrunk, or
    whose overcommit was lowered, holds more than it may give away."""

    __tablename__ = "fleet_hosts"
    __table_args__ = (UniqueConstraint("name", "kind"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    zone: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    uplink: Mapped[str] = mapped_column(Text, server_default="")
    token_digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    vcpus: Mapped[int] = mapped_column(Integer)
    memory_mib: Mapped[int] = mapped_column(Integer)
    disk_gib: Mapped[int] = mapped_column(Integer)
    vcpus_free: Mapped[int] = mapped_column(Integer)
    memory_free: Mapped[int] = mapped_column(Integer)
    disk_free: Mapped[int] = mapped_column(Integer)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    generation: Mapped[int] = mapped_column(BigInteger, server_default="0")
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    joined_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Reservation(Base):
    """Capacity of a host held for one machine."""

    __tablename__ = "fleet_reservations"

    machine: Mapped[str] = mapped_column(Text, primary_key=True)
    host_id: Mapped[str] = mapped_column(ForeignKey("fleet_hosts.id"), index=True)
    vcpus: Mapped[int] = mapped_column(Integer)
    memory_mib: Mapped[int] = mapped_column(Integer)
    disk_gib: Mapped[int] = mapped_column(Integer)


class Desired(Base):
    """One thing that a host must have; a null document says that it must go. `waker` is the kind of work woken by
    reports about it."""

    __tablename__ = "fleet_desired"
    __table_args__ = (Index("ix_fleet_desired_host_generation", "host_id", "generation"),)

    host_id: Mapped[str] = mapped_column(ForeignKey("fleet_hosts.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[str] = mapped_column(Text, primary_key=True, index=True)
    generation: Mapped[int] = mapped_column(BigInteger)
    applied: Mapped[int] = mapped_column(BigInteger, server_default="0")
    waker: Mapped[str | None] = mapped_column(Text)
    document: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class Resolving(Base):
    """What the resolver of a VPC knows: a private zone or a forward (`agents.contract.network`)."""

    __tablename__ = "fleet_resolving"

    vpc_id: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)


class DnsQuery(Base):
    """A question that a guest asked (`agents.contract.queries`), until those who log it have taken it."""

    __tablename__ = "fleet_dns_queries"
    __table_args__ = (Index(None, "vpc_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    vpc_id: Mapped[str] = mapped_column(Text)
    noted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)


class ObservedMachine(Base):
    """The last report about a machine."""

    __tablename__ = "fleet_observed"

    machine: Mapped[str] = mapped_column(Text, primary_key=True)
    host_id: Mapped[str] = mapped_column(ForeignKey("fleet_hosts.id"), primary_key=True)
    report: Mapped[dict[str, Any]] = mapped_column(JSONB)
    observed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Console(Base):
    """The tail of a machine's serial console."""

    __tablename__ = "fleet_consoles"

    machine: Mapped[str] = mapped_column(Text, primary_key=True)
    output: Mapped[bytes] = mapped_column(LargeBinary)
    written_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
