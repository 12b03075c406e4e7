"""A hub's backup: its database as it was at one moment, its authority, its keys and tokens."""
