"""A device's state folder: who holds it, its identity, and what outlives a restart."""
