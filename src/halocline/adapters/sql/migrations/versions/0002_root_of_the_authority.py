"""Which root the devices in the database trust."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; the next start fills it."""
    op.create_table(
        "authority",
        sa.Column("root", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("root", name="pk_authority"),
    )
