"""batches of log groups by last event."""

from __future__ import annotations

from alembic import op

revision = "20261122034800"
down_revision = "20261122030501"


def upgrade() -> None:
    op.create_index("ix_logs_batches_group_last", "logs_batches", ["group_id", "last_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_logs_batches_group_last", table_name="logs_batches")
