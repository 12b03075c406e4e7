"""Parse, assemble, run, print."""
