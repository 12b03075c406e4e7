"""What Alembic runs: the migrations, on the connection that `migrate` holds."""

from alembic import context

from halocline.adapters.sql.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
