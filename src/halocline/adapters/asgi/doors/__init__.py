"""The hub's three doors over HTTP: devices, people, joining."""
