"""Real public data sets that the user has on disk: read, trained on, and kept apart by patient or speaker."""
