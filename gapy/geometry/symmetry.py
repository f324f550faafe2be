"""Which atoms feel no force because of where they sit."""

from __future__ import annotations

import numpy as np

NO_FORCE = 1e-4
"""Largest component (eV/A) of a force that is zero by symmetry. Of a label: the convergence of the
reference. Of a prediction, which has the symmetry of the structure: positions written with six
decimals, times the stiffest bonds."""


def vanishes(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Whether the force of each atom (n,) is zero by symmetry; labels and predicted (n, 3) eV/A.

    Such a force is right whatever the model, so its error says nothing of the model or of sigma.
    Both must vanish: the label alone also does where a structure has been relaxed, the prediction
    alone where the reference has broken the symmetry, and there the errors are real.
    """
    largest = np.maximum(np.abs(labels), np.abs(predicted)).max(axis=1)
    return largest <= NO_FORCE
