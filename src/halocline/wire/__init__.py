"""Values to bytes and back: the only place that knows a format."""
