"""Hybrid edge-cloud AI: a small model on the device, a larger one elsewhere, one loop between them."""

__version__ = "0.1.0"
