"""Choose cutoff, basis, kernel and inducing points by error and cost: `gapy tune` in Python."""

from gapy.tuning.candidates import Candidate
from gapy.tuning.search import Tuning, tune

__all__ = ["Candidate", "Tuning", "tune"]
