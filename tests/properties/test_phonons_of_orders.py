"""Phonons of a crystal whose energy depends on the order of its moments."""

from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk
from magnetic_iron import Moments

from gapy.properties import lattice_dynamics
from gapy.structures.spins import signs_of, with_signs


def test_supercells_keep_the_order(monkeypatch):
    """Forces of the displaced cells are those of the atoms' own order: FM and AFM differ."""
    pytest.importorskip("phonopy")
    # The labels of these tests repel: there is no minimum to relax to.
    unmoved = lambda _, atoms, **options: SimpleNamespace(atoms=atoms)  # noqa: E731
    monkeypatch.setattr(lattice_dynamics, "relax", unmoved)
    found = []
    for signs in ([1, 1], [1, -1]):
        atoms = bulk("Fe", cubic=True)
        atoms.set_initial_magnetic_moments(None)
        with_signs(atoms, signs)
        phonons = lattice_dynamics.phonons(Moments(), atoms, supercell=(2, 2, 2), mesh=2)
        for frame in phonons.displaced:
            sublattice = np.round(4.0 * frame.get_scaled_positions()[:, 2]).astype(int) % 2
            assert signs_of(frame).tolist() == [signs[k] for k in sublattice]
        found.append(phonons.points["R"])
    assert np.abs(found[0] - found[1]).max() > 0.1
