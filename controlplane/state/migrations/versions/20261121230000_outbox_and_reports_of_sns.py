"""outbox and reports of sns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261121230000"
down_revision = "20261121225651"


def upgrade() -> None:
    op.rename_table("sns_sms_messages", "sns_outbox")
    op.execute("ALTER INDEX ix_sns_sms_messages_account_id RENAME TO ix_sns_outbox_account_id")
    op.execute("ALTER TABLE sns_outbox RENAME CONSTRAINT pk_sns_sms_messages TO pk_sns_outbox")
    op.add_column("sns_outbox", sa.Column("kind", sa.Text(), server_default="sms", nullable=False))
    op.add_column("sns_outbox", sa.Column("state", sa.Text(), server_default="STORED", nullable=False))
    op.add_column("sns_outbox", sa.Column("attempts", sa.Integer(), server_default="0", nullable=False))
    op.add_column("sns_outbox", sa.Column("answer", sa.Text(), nullable=True))
    op.alter_column("sns_outbox", "kind", server_default=None)
    op.alter_column("sns_outbox", "state", server_default=None)
    op.add_column("sns_sms_accounts", sa.Column("month", sa.Text(), nullable=True))
    op.add_column("sns_sms_accounts", sa.Column("spent", sa.Double(), server_default="0", nullable=False))
    op.create_table(
        "sns_delivery_reports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("log_group", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sns_delivery_reports")),
    )
    op.create_index(
        "ix_sns_delivery_reports_newest", "sns_delivery_reports", ["account_id", "region", "id"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_sns_delivery_reports_newest", table_name="sns_delivery_reports")
    op.drop_table("sns_delivery_reports")
    op.drop_column("sns_sms_accounts", "spent")
    op.drop_column("sns_sms_accounts", "month")
    op.execute("DELETE FROM sns_outbox WHERE kind <> 'sms'")
    op.drop_column("sns_outbox", "answer")
    op.drop_column("sns_outbox", "attempts")
    op.drop_column("sns_outbox", "state")
    op.drop_column("sns_outbox", "kind")
    op.execute("ALTER TABLE sns_outbox RENAME CONSTRAINT pk_sns_outbox TO pk_sns_sms_messages")
    op.execute("ALTER INDEX ix_sns_outbox_account_id RENAME TO ix_sns_sms_messages_account_id")
    op.rename_table("sns_outbox", "sns_sms_messages")
