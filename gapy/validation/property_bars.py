"""Error bars of properties that believe more than the posterior does.

The spread of posterior samples is what the labels leave open if the model is right. How much that
is too little is known from structures that were left out (`gapy.error_bars.spread`): a bar is the
spread times the factor that the fit found there.
"""

from __future__ import annotations

import numpy as np

from gapy.error_bars.spread import inflation
from gapy.validation.propagation import WithError


def calibrated(potential, spread: WithError) -> dict[str, float]:
    """Bars by name: the members' standard deviation times the inflation of the model.

    As they are for a model that knows no inflation.
    """
    factor = inflation(potential.metadata) or 1.0
    return {name: factor * float(np.asarray(std)) for name, std in spread.std.items()}


def described(potential) -> str:
    """What the bars of a model are, in words."""
    factor = inflation(potential.metadata)
    if factor is None:
        return (
            "posterior spread, not calibrated: the model file tells no errors of left-out "
            "structures; fit it again"
        )
    return f"posterior spread times {factor:.1f}, from the errors of left-out structures"
