"""EC2's tables. Every row carries account, region and creation time; ARNs follow from the id."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from controlplane.state.base import Base


class _Owned:
    """What every resource row has."""

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        return (Index(None, "account_id", "region"), *getattr(cls, "constraints", ()))


class Vpc(_Owned, Base):
    """A VPC, with the settings that have one value a VPC."""

    __tablename__ = "ec2_vpcs"
    constraints = (
        Index("uq_ec2_vpcs_default", "account_id", "region", unique=True, postgresql_where=text("is_default")),
    )

    cidr: Mapped[str] = mapped_column(Text)
    is_default: Mapped[bool] = mapped_column(Boolean, server_default="false")
    tenancy: Mapped[str] = mapped_column(Text, server_default="default")
    dhcp_options_id: Mapped[str] = mapped_column(Text)
    network_acl_id: Mapped[str] = mapped_column(Text)
    dns_support: Mapped[bool] = mapped_column(Boolean, server_default="true")
    dns_hostnames: Mapped[bool] = mapped_column(Boolean, server_default="false")
    cidr_association_id: Mapped[str] = mapped_column(Text)


class DhcpOptions(_Owned, Base):
    """A set of DHCP options: `{name: [values]}`."""

    __tablename__ = "ec2_dhcp_options"

    configuration: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Subnet(_Owned, Base):
    """A subnet; `vni` is the number of its overlay between hosts."""

    __tablename__ = "ec2_subnets"

    vpc_id: Mapped[str] = mapped_column(ForeignKey("ec2_vpcs.id"), index=True)
    zone: Mapped[str] = mapped_column(Text)
    cidr: Mapped[str] = mapped_column(Text)
    is_default: Mapped[bool] = mapped_column(Boolean, server_default="false")
    map_public: Mapped[bool] = mapped_column(Boolean, server_default="false")
    vni: Mapped[int] = mapped_column(Integer, Identity(start=4096), unique=True)
    network_acl_association_id: Mapped[str] = mapped_column(Text)


class InternetGateway(_Owned, Base):
    """An internet gateway, attached to at most one VPC."""

    __tablename__ = "ec2_internet_gateways"

    vpc_id: Mapped[str | None] = mapped_column(ForeignKey("ec2_vpcs.id"), unique=True)


class RouteTable(_Owned, Base):
    """A route table; a VPC has one that is main."""

    __tablename__ = "ec2_route_tables"
    constraints = (Index("uq_ec2_route_tables_main", "vpc_id", unique=True, postgresql_where=text("main")),)

    vpc_id: Mapped[str] = mapped_column(ForeignKey("ec2_vpcs.id"), index=True)
    main: Mapped[bool] = mapped_column(Boolean, server_default="false")
    main_association_id: Mapped[str | None] = mapped_column(Text)


class Route(Base):
    """One route beside the local one: exactly one target column is set."""

    __tablename__ = "ec2_routes"

    route_table_id: Mapped[str] = mapped_column(ForeignKey("ec2_route_tables.id", ondelete="CASCADE"), primary_key=True)
    cidr: Mapped[str] = mapped_column(Text, primary_key=True)
    gateway_id: Mapped[str | None] = mapped_column(Text)
    network_interface_id: Mapped[str | None] = mapped_column(Text)
    instance_id: Mapped[str | None] = mapped_column(Text)


class RouteTableAssociation(Base):
    """Which table a subnet uses instead of the main one."""

    __tablename__ = "ec2_route_table_associations"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    route_table_id: Mapped[str] = mapped_column(ForeignKey("ec2_route_tables.id"), index=True)
    subnet_id: Mapped[str] = mapped_column(ForeignKey("ec2_subnets.id"), unique=True)


class SecurityGroup(_Owned, Base):
    """A security group."""

    __tablename__ = "ec2_security_groups"
    constraints = (UniqueConstraint("vpc_id", "name"),)

    vpc_id: Mapped[str] = mapped_column(ForeignKey("ec2_vpcs.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)


class SecurityGroupRule(Base):
    """One rule of a security group; exactly one of the sources is set. Ports are null for protocols without."""

    __tablename__ = "ec2_security_group_rules"
    __table_args__ = (
        Index(
            "uq_ec2_security_group_rules_rule",
            "group_id",
            "egress",
            "protocol",
            "from_port",
            "to_port",
            "cidr",
            "cidr6",
            "source_group_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    group_id: Mapped[str] = mapped_column(ForeignKey("ec2_security_groups.id", ondelete="CASCADE"), index=True)
    egress: Mapped[bool] = mapped_column(Boolean)
    protocol: Mapped[str] = mapped_column(Text)
    from_port: Mapped[int | None] = mapped_column(Integer)
    to_port: Mapped[int | None] = mapped_column(Integer)
    cidr: Mapped[str | None] = mapped_column(Text)
    cidr6: Mapped[str | None] = mapped_column(Text)
    source_group_id: Mapped[str | None] = mapped_column(ForeignKey("ec2_security_groups.id"))
    description: Mapped[str | None] = mapped_column(Text)
    sequence: Mapped[int] = mapped_column(BigInteger, Identity())


class NetworkInterface(_Owned, Base):
    """An elastic network interface. `(subnet_id, address)` is unique, so that no address is given twice."""

    __tablename__ = "ec2_network_interfaces"
    constraints = (UniqueConstraint("subnet_id", "address"),)

    vpc_id: Mapped[str] = mapped_column(ForeignKey("ec2_vpcs.id"), index=True)
    subnet_id: Mapped[str] = mapped_column(ForeignKey("ec2_subnets.id"))
    zone: Mapped[str] = mapped_column(Text)
    mac: Mapped[str] = mapped_column(Text, unique=True)
    address: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")
    group_ids: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    source_dest_check: Mapped[bool] = mapped_column(Boolean, server_default="true")
    instance_id: Mapped[str | None] = mapped_column(Text, index=True)
    device_index: Mapped[int | None] = mapped_column(Integer)
    attachment_id: Mapped[str | None] = mapped_column(Text)
    attached_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    delete_on_termination: Mapped[bool] = mapped_column(Boolean, server_default="false")
    requester_managed: Mapped[bool] = mapped_column(Boolean, server_default="false")


class PublicAddress(Base):
    """A public address in use: allocated (an Elastic IP, with an allocation id) or lent to a running instance."""

    __tablename__ = "ec2_public_addresses"

    address: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    allocation_id: Mapped[str | None] = mapped_column(Text, unique=True)
    association_id: Mapped[str | None] = mapped_column(Text, unique=True)
    network_interface_id: Mapped[str | None] = mapped_column(Text, unique=True)
    allocated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class KeyPair(_Owned, Base):
    """The public half of a key pair; the private half is told once and never kept."""

    __tablename__ = "ec2_key_pairs"
    constraints = (UniqueConstraint("account_id", "region", "name"),)

    name: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(Text)
    public_key: Mapped[str] = mapped_column(Text)


class Image(_Owned, Base):
    """An AMI. A null region means that it is offered in all of them; files are blobs, named by digest."""

    __tablename__ = "ec2_images"

    region: Mapped[str | None] = mapped_column(Text)  # type: ignore[assignment]
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")
    architecture: Mapped[str] = mapped_column(Text, server_default="x86_64")
    public: Mapped[bool] = mapped_column(Boolean, server_default="false")
    state: Mapped[str] = mapped_column(Text, server_default="available")
    size_gib: Mapped[int] = mapped_column(Integer)
    snapshot_id: Mapped[str] = mapped_column(Text)
    root_device: Mapped[str] = mapped_column(Text)
    disk: Mapped[str] = mapped_column(Text)
    kernel: Mapped[str | None] = mapped_column(Text)
    initrd: Mapped[str | None] = mapped_column(Text)
    command_line: Mapped[str] = mapped_column(Text, server_default="")
    firmware: Mapped[str] = mapped_column(Text, server_default="bios")
    login: Mapped[str] = mapped_column(Text, server_default="")
    launch_permissions: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")


class Instance(_Owned, Base):
    """An instance. `goal` is what the owner asked for (running, stopped, terminated), `state` how far it is."""

    __tablename__ = "ec2_instances"

    reservation_id: Mapped[str] = mapped_column(Text, index=True)
    launch_index: Mapped[int] = mapped_column(Integer)
    goal: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason_code: Mapped[str | None] = mapped_column(Text)
    reason_message: Mapped[str | None] = mapped_column(Text)
    transition_reason: Mapped[str] = mapped_column(Text, server_default="")
    type: Mapped[str] = mapped_column(Text)
    image_id: Mapped[str] = mapped_column(Text)
    vpc_id: Mapped[str] = mapped_column(Text, index=True)
    subnet_id: Mapped[str] = mapped_column(Text)
    zone: Mapped[str] = mapped_column(Text)
    key_name: Mapped[str | None] = mapped_column(Text)
    public_key: Mapped[str | None] = mapped_column(Text)
    profile_arn: Mapped[str | None] = mapped_column(Text)
    profile_id: Mapped[str | None] = mapped_column(Text)
    role: Mapped[str | None] = mapped_column(Text)
    user_data: Mapped[bytes | None] = mapped_column(LargeBinary)
    public_wanted: Mapped[bool] = mapped_column(Boolean, server_default="false")
    boots: Mapped[int] = mapped_column(Integer, server_default="0")
    protected: Mapped[bool] = mapped_column(Boolean, server_default="false")
    stop_protected: Mapped[bool] = mapped_column(Boolean, server_default="false")
    shutdown_behavior: Mapped[str] = mapped_column(Text, server_default="stop")
    monitoring: Mapped[bool] = mapped_column(Boolean, server_default="false")
    credits: Mapped[str | None] = mapped_column(Text)
    """How a burstable instance gets processor time, where its owner has said so: standard or unlimited."""
    ebs_optimized: Mapped[bool] = mapped_column(Boolean, server_default="false")
    metadata_options: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    client_token: Mapped[str] = mapped_column(Text, server_default="")
    host_id: Mapped[str | None] = mapped_column(Text, index=True)
    networked: Mapped[bool] = mapped_column(Boolean, server_default="false")
    spans: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    launched_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    stopped_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    terminated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), index=True)


class Volume(_Owned, Base):
    """A disk; attached at most once."""

    __tablename__ = "ec2_volumes"
    constraints = (UniqueConstraint("instance_id", "device"),)

    zone: Mapped[str] = mapped_column(Text)
    size_gib: Mapped[int] = mapped_column(Integer)
    type: Mapped[str] = mapped_column(Text, server_default="gp3")
    iops: Mapped[int | None] = mapped_column(Integer)
    throughput: Mapped[int | None] = mapped_column(Integer)
    snapshot_id: Mapped[str] = mapped_column(Text, server_default="")
    encrypted: Mapped[bool] = mapped_column(Boolean, server_default="false")
    root: Mapped[bool] = mapped_column(Boolean, server_default="false")
    instance_id: Mapped[str | None] = mapped_column(Text, index=True)
    device: Mapped[str | None] = mapped_column(Text)
    attached_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    delete_on_termination: Mapped[bool] = mapped_column(Boolean, server_default="true")


class Tag(Base):
    """One tag of one resource."""

    __tablename__ = "ec2_tags"
    __table_args__ = (Index(None, "account_id", "region"),)

    resource_id: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)


class DefaultVpcMade(Base):
    """The account has had its default VPC in this region: deleting it does not bring another one by itself."""

    __tablename__ = "ec2_default_vpcs_made"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    region: Mapped[str] = mapped_column(Text, primary_key=True)
