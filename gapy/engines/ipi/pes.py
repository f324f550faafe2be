"""A model inside i-PI's own process: `<ffdirect>` with a custom pes and this file as its path.

<ffdirect name='gapy'>
  <pes> custom </pes> <pes_path> (what `gapy ipi --pes-path` prints) </pes_path>
  <parameters> {model: si.gapy, start: start.xyz} </parameters>
</ffdirect>
"""

import numpy as np
from ipi.pes.dummy import Dummy_driver

__DRIVER_NAME__ = "gapy"
__DRIVER_CLASS__ = "GapyDriver"


class GapyDriver(Dummy_driver):
    """model: a .gapy file; start: a file with the species in i-PI's order, and the periodic
    directions; uncertainty: whether the extras hold force sigmas; precision: "double" or
    "single"; trust: whether the calculator that a baseline of the model names is imported."""

    def __init__(
        self, model, start, uncertainty=True, trust=False, verbose=False, *, precision="double",
        **others,
    ):  # fmt: skip
        import ase.io

        import gapy
        from gapy.engines.ipi.forces import Forces

        super().__init__(verbose=verbose)
        potential = gapy.load(model, trust=bool(trust)).in_precision(precision)
        self._forces = Forces(potential, ase.io.read(start), uncertainty=bool(uncertainty))

    def compute_structure(self, cell, pos):
        """Energy, forces, virial and extras, atomic units; lattice vectors in columns."""
        found = self._forces(np.asarray(cell).T, np.asarray(pos).reshape(-1, 3))
        return found.energy, found.forces.reshape(np.shape(pos)), found.virial, found.extras
