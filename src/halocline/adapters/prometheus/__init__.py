"""Prometheus: our recorders' numbers in its exposition formats."""

from halocline.adapters.prometheus.exposition import expose

__all__ = ["expose"]
