"""Values over the surroundings of every atom, for indicators that a force error depends on.

The force on an atom is a sum of derivatives of the local energies around it, so that its error
follows their variances, not that of its own local energy alone. The worst of them counts: in a mean
an odd atom next to a vacancy would drown among its usual neighbours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gapy._jit.pairs import surrounding_values
from gapy.neighbours import neighbour_list

DEFAULT_CUTOFF = 5.0
"""A, for descriptors that state none."""


class Surroundings(NamedTuple):
    """Pairs of a structure: those of centre k, atom atom_i[k], are first_i[k]:first_i[k + 1]."""

    atom_i: np.ndarray
    first_i: np.ndarray
    j_p: np.ndarray
    r_pc: np.ndarray
    cutoff: float

    def values(self, v_nk: np.ndarray) -> np.ndarray:
        """Every column (n, k), half own and half the largest around; see `_jit.pairs`."""
        out = np.empty_like(v_nk)
        surrounding_values(
            self.atom_i, self.first_i, self.j_p, self.r_pc, self.cutoff, v_nk, out
        )  # fmt: skip
        return out


def surroundings(descriptor, atoms, env=None) -> Surroundings:
    """Pairs within the descriptor's cutoff; `env`: its environments of these atoms, if at hand."""
    cutoff = descriptor.cutoff if np.isfinite(descriptor.cutoff) else DEFAULT_CUTOFF
    if descriptor.takes_neighbours:
        env = descriptor.environments(atoms) if env is None else env
        return Surroundings(env.atom_i, env.first_i, env.j_p, env.r_pc, cutoff)
    pbc = atoms.pbc if descriptor.periodic else np.zeros(3, dtype=bool)
    pairs = neighbour_list(atoms.positions, atoms.cell.array, pbc, cutoff)
    return Surroundings(np.arange(len(atoms)), pairs.first_i, pairs.j_p, pairs.r_pc, cutoff)
