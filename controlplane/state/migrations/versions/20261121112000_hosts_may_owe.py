"""A host that shrinks below what it has given away owes, instead of forgetting the difference."""

from __future__ import annotations

from alembic import op

revision = "20261121112000"
down_revision = "20261121103629"


def upgrade() -> None:
    for name in ("vcpus", "memory", "disk"):
        op.drop_constraint(op.f(f"ck_fleet_hosts_{name}"), "fleet_hosts", type_="check")
