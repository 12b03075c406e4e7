"""What every server of predictions shares; it knows no protocol."""
