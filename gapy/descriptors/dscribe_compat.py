"""Mends what keeps a descriptor of dscribe 2.1.2 from working with today's ASE.

dscribe's System hands its arguments to ase.Atoms by position; newer ASE orders them differently,
so that LMBTR fails with 'Use only one of "momenta" and "velocities"' on every structure. The
constructor is replaced by one that passes them by name, only where that defect is present.
"""

from __future__ import annotations

import ase
from dscribe.core.system import System


def _system_init(self, symbols=None, wyckoff_positions=None, equivalent_atoms=None, **arguments):
    calculator = arguments.pop("calculator", None)
    ase.Atoms.__init__(self, symbols, **arguments)
    self.calc = calculator
    self.wyckoff_positions = wyckoff_positions
    self.equivalent_atoms = equivalent_atoms
    self._cell_inverse = None
    self._displacement_tensor = None
    self._distance_matrix = None
    self._inverse_distance_matrix = None


def _from_atoms(atoms):
    return System(
        symbols=atoms.get_chemical_symbols(),
        positions=atoms.get_positions(),
        cell=atoms.get_cell(),
        pbc=atoms.get_pbc(),
        info=atoms.info,
    )


def mend_system() -> None:
    """Replace System's constructor and copy if the constructor mixes up its arguments."""
    try:
        System(symbols="H", momenta=[[0.0, 0.0, 0.0]], info={})
    except TypeError:
        System.__init__ = _system_init
        System.from_atoms = staticmethod(_from_atoms)
