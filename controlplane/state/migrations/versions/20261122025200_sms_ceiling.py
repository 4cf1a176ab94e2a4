"""text messages of all accounts have a ceiling, and numbers a bound on their codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261122025200"
down_revision = "20261122024414"


def upgrade() -> None:
    op.create_table(
        "sns_sms_months",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("spent", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_sns_sms_months")),
    )
    now = sa.text("now()")
    op.add_column("sns_sandbox_numbers", sa.Column("codes", sa.Integer(), server_default="1", nullable=False))
    for name in ("codes_since", "tried_at"):
        column = sa.Column(name, sa.DateTime(timezone=True), server_default=now, nullable=False)
        op.add_column("sns_sandbox_numbers", column)
