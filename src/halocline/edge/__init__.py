"""The device side of each pattern."""
