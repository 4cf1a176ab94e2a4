"""mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261121180100"
down_revision = "20261121180000"


def upgrade() -> None:
    op.create_table(
        "ses_accounts",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", name=op.f("pk_ses_accounts")),
    )
    op.create_table(
        "ses_identities",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("signs", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("dkim", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "name", name=op.f("pk_ses_identities")),
    )
    op.create_table(
        "ses_mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("destinations", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("counted", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ses_mails")),
    )
    op.create_index("ix_ses_mails_box", "ses_mails", ["account_id", "region", "created_at"], unique=False)
    op.create_table(
        "ses_templates",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "name", name=op.f("pk_ses_templates")),
    )


def downgrade() -> None:
    op.drop_table("ses_templates")
    op.drop_index("ix_ses_mails_box", table_name="ses_mails")
    op.drop_table("ses_mails")
    op.drop_table("ses_identities")
    op.drop_table("ses_accounts")
