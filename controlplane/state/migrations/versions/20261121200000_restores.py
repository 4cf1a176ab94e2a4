"""restored copies of archived objects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261121200000"
down_revision = "20261121195107"


def upgrade() -> None:
    op.create_table(
        "s3_restores",
        sa.Column("bucket_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blob", sa.Text(), nullable=True),
        sa.Column("salt", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("bucket_id", "key", "place", name=op.f("pk_s3_restores")),
    )
    op.create_index(
        "ix_s3_restores_blob", "s3_restores", ["blob"], unique=False, postgresql_where=sa.text("blob IS NOT NULL")
    )
