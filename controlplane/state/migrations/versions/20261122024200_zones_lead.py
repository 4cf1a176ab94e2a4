"""zones lead to services."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122024200"
down_revision = "20261122022751"


def upgrade() -> None:
    op.add_column("route53_zones", sa.Column("leads", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
