"""work that died rests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261122054000"
down_revision = "20261122034800"


def upgrade() -> None:
    op.add_column("work_items", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("work_items", "not_before")
