"""Error bars of properties that believe more than the posterior does.

The spread of posterior samples is what the labels leave open if the model is right. Left-out
structures say by how much that is too little: the calibrated sigma of an energy
(`gapy.error_bars.energy`) over the spread of the same energy. A bar is the spread times this
factor, taken at the structure of which the property is.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from gapy.validation.propagation import WithError


def inflation(potential, atoms: Atoms) -> float:
    """Calibrated sigma of the energy of `atoms` over its posterior standard deviation, at least 1.

    1 where the energies are not calibrated.
    """
    out = potential.evaluate(atoms, force_std="cheap")
    if out.energy_std is None:
        return 1.0
    rows = potential.predict(atoms, forces=False, stress=False)[1]
    return max(float(out.energy_std / rows.energy), 1.0)


def calibrated(potential, spread: WithError, atoms: Atoms) -> dict[str, float]:
    """Bars by name: the members' standard deviation times the inflation at `atoms`."""
    factor = inflation(potential, atoms)
    return {name: factor * float(np.asarray(std)) for name, std in spread.std.items()}
