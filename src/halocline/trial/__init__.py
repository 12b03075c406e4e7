"""Try a pair of models on the user's own rows: is tiered inference worth it?"""

from halocline.trial.result import Trial
from halocline.trial.run import try_

__all__ = ["Trial", "try_"]
