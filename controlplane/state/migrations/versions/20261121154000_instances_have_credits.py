"""Instances remember how they are to get processor time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261121154000"
down_revision = "20261121153200"


def upgrade() -> None:
    op.add_column("ec2_instances", sa.Column("credits", sa.Text(), nullable=True))
