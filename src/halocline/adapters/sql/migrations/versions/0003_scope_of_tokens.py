"""What a token is narrowed to: actions and labels; those from before are not."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns."""
    op.add_column("tokens", sa.Column("actions", sa.Text(), nullable=True))
    op.add_column("tokens", sa.Column("labels", sa.Text(), nullable=True))
