"""Tune the threshold of a pair of models on the user's own rows, and measure what it then does."""

from halocline.tuning.evaluation import Evaluation, evaluate
from halocline.tuning.tuned import Tuned, tune

__all__ = ["Evaluation", "Tuned", "evaluate", "tune"]
