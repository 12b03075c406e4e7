"""Write a folder that runs: two small models, a few rows, commented settings and a short script."""

from halocline.demo.starter.write import KINDS, write_starter

__all__ = ["KINDS", "write_starter"]
