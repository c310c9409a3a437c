"""Keep the events of deleted accounts, by a hash of the address

Revision ID: 0006_kept_events
Revises: 0005_personal_tokens
"""

import sqlalchemy as sa
from alembic import op

revision = "0006_kept_events"
down_revision = "0005_personal_tokens"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("account_events") as events:
        events.add_column(sa.Column("email_hash", sa.String(64), nullable=True))
        events.alter_column("user_id", existing_type=sa.Uuid(), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM account_events WHERE user_id IS NULL")
    with op.batch_alter_table("account_events") as events:
        events.alter_column("user_id", existing_type=sa.Uuid(), nullable=False)
        events.drop_column("email_hash")
