"""recipients are counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261122055000"
down_revision = "20261122054000"

_DAY = """
INSERT INTO ses_sent (account_id, region, span, counts_until, recipients)
SELECT account_id, region, 'day', date_trunc('minute', created_at) + interval '1 day 1 minute',
    sum(jsonb_array_length(destinations))
FROM ses_mails WHERE counted AND created_at > now() - interval '1 day' GROUP BY 1, 2, 4
"""


def upgrade() -> None:
    op.create_table(
        "ses_sent",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("span", sa.Text(), nullable=False),
        sa.Column("counts_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recipients", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "span", "counts_until"),
    )
    op.execute(_DAY)


def downgrade() -> None:
    op.drop_table("ses_sent")
