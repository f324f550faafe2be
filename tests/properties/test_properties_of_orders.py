"""Properties of crystals whose energy depends on the order of their moments."""

from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk
from magnetic_iron import Moments

from gapy.errors import PropertyError
from gapy.properties import lattice_dynamics, stacking_fault, surface_energy
from gapy.structures.spins import moments_of, signs_of, with_signs


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


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("lattice", ["fcc", "bcc"])
def test_faults_and_slabs_keep_moments_of_one_sign(monkeypatch, lattice, signed):
    pytest.importorskip("spglib")

    def unmoved(calculator, atoms, **options):
        atoms.calc = calculator
        return SimpleNamespace(atoms=atoms)

    def iron(signs):
        atoms = bulk("Fe", lattice, a=2.87 if lattice == "bcc" else 3.6, cubic=True)
        signs = np.resize(signs, len(atoms))
        atoms.set_initial_magnetic_moments(None if signed else 2.2 * signs)
        return with_signs(atoms, signs) if signed else atoms

    for module in (stacking_fault, surface_energy):
        monkeypatch.setattr(module, "relax", unmoved)
    parallel = stacking_fault.stacking(Moments(), iron([-1])).faulted
    assert signs_of(parallel).tolist() == [-1] * len(parallel)
    assert moments_of(parallel) == pytest.approx(-np.ones(len(parallel)) * (1.0 if signed else 2.2))
    (slab,) = surface_energy.surfaces(Moments(), iron([1]), planes=[(1, 0, 0)]).slabs
    assert signs_of(slab).tolist() == [1] * len(slab)
    for of in (stacking_fault.stacking, surface_energy.surfaces):
        with pytest.raises(PropertyError, match=r"moments: expected one sign .* got Fe with"):
            of(Moments(), iron([1, -1]))
