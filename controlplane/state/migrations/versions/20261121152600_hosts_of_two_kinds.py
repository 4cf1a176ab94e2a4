"""One machine of the owner's may be a host for machines and another for containers."""

from __future__ import annotations

from alembic import op

revision = "20261121152600"
down_revision = "20261121151451"


def upgrade() -> None:
    op.drop_constraint(op.f("uq_fleet_hosts_name"), "fleet_hosts", type_="unique")
    op.create_unique_constraint(op.f("uq_fleet_hosts_name_kind"), "fleet_hosts", ["name", "kind"])
