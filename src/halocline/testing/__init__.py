"""Fakes, faults and contract suites, shipped, so that users can test against the same."""
