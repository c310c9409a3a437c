"""Give password hashes the width of the documented schema

Revision ID: 0004_hash_width
Revises: 0003_account_events
"""

import sqlalchemy as sa
from alembic import op

revision = "0004_hash_width"
down_revision = "0003_account_events"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.alter_column(
            "password_hash",
            type_=sa.String(255),
            existing_type=sa.String(60),
            existing_nullable=False,
        )


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.alter_column(
            "password_hash",
            type_=sa.String(60),
            existing_type=sa.String(255),
            existing_nullable=False,
        )
