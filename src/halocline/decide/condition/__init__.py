"""Decide whether a condition holds of one sample, such as `label == "person" and confidence < 0.6`."""

from halocline.decide.condition.fields import FIELDS, Known
from halocline.decide.condition.parse import MAX_DEPTH, MAX_LENGTH, Condition, parse

__all__ = ["FIELDS", "MAX_DEPTH", "MAX_LENGTH", "Condition", "Known", "parse"]
