"""Sums of Gaussian charges: Madelung constants, a plain reference, derivatives, extensivity."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ewald_reference import K, energy
from helpers import along_atom, along_strain, random_rotation, random_structure

from gapy._jit import coulomb as kernels
from gapy._support.voigt import voigt
from gapy.baselines import electrostatics
from gapy.baselines.electrostatics import energy_and_forces, matrix, waves_of

PERIODIC = pytest.mark.parametrize("periodic", [True, False], ids=["crystal", "molecule"])


def charged(seed, periodic=True, n=6, neutral=True):
    """(charges, widths, structure) without any symmetry; atoms far apart beside their widths."""
    rng = np.random.default_rng(seed)
    pbc = (periodic,) * 3
    atoms = random_structure(rng, n_atoms=n, pbc=pbc, min_distance=1.6, length=5.0)
    charge = rng.normal(size=n)
    return charge - neutral * charge.mean(), rng.uniform(0.5, 1.1, n), atoms


@pytest.mark.parametrize(
    ("structure", "lattice", "shortest", "madelung"),
    [
        ("rocksalt", 5.64, 0.5, 1.747564594633),
        ("cesiumchloride", 4.12, 3**0.5 / 2, 1.762674773070),
        ("zincblende", 5.41, 3**0.5 / 4, 1.638055053388),
    ],
)
def test_madelung_constants(structure, lattice, shortest, madelung):
    """Borwein, Borwein and Taylor, J. Math. Phys. 26, 2999 (1985), and Crandall's tables."""
    atoms = ions(structure, lattice)
    charge = np.where(atoms.numbers == 11, 1.0, -1.0)
    found = energy_and_forces(charge, np.full(2, 0.1), atoms)
    assert found.energy == pytest.approx(-K * madelung / (shortest * lattice), rel=1e-10)
    assert np.trace(found.virial) == pytest.approx(-found.energy, rel=1e-9)  # E ~ 1/a
    np.testing.assert_allclose(found.forces, 0.0, atol=1e-9)


def ions(structure, lattice):
    return bulk("NaCl", structure, a=lattice)


@PERIODIC
@pytest.mark.parametrize("neutral", [True, False])
@pytest.mark.parametrize("equal", [True, False])
def test_it_is_what_a_plain_sum_says(periodic, neutral, equal):
    charge, sigma, atoms = charged(3, periodic, n=3, neutral=neutral)
    if equal:
        sigma = np.full(3, 0.8)
    expected = energy(charge, sigma, atoms)
    assert abs(expected) > 0.1
    assert energy_and_forces(charge, sigma, atoms).energy == pytest.approx(expected, abs=1e-8)
    assert 0.5 * charge @ matrix(sigma, atoms) @ charge == pytest.approx(expected, abs=1e-8)


@PERIODIC
@pytest.mark.parametrize("equal", [True, False])
def test_forces_and_virial_are_derivatives(periodic, equal):
    charge, sigma, atoms = charged(1, periodic, neutral=False)
    if equal:
        sigma = np.full(len(atoms), 0.9)
    found = energy_and_forces(charge, sigma, atoms)

    def of(a):
        return energy_and_forces(charge, sigma, a).energy

    for j, c in ((0, 0), (1, 2), (4, 1)):
        assert found.forces[j, c] == pytest.approx(-along_atom(of, atoms, j, c), abs=1e-6)
    if not periodic:
        atoms.cell = np.eye(3)
    for v, virial in enumerate(voigt(found.virial)):
        assert virial == pytest.approx(along_strain(of, atoms, v), abs=1e-6)
    np.testing.assert_allclose(found.forces.sum(axis=0), 0.0, atol=1e-10)
    np.testing.assert_allclose(found.virial, found.virial.T, atol=1e-10)


@pytest.mark.parametrize("alpha", [0.3, 0.45])
def test_the_split_does_not_matter(monkeypatch, alpha):
    charge, sigma, atoms = charged(2, neutral=False)
    found, coupling = energy_and_forces(charge, sigma, atoms), matrix(sigma, atoms)
    assert electrostatics.split(sigma, atoms)[1]
    wide = np.full(len(atoms), 0.5 / alpha)
    monkeypatch.setattr(electrostatics, "split", lambda *_: (wide, False))
    other = energy_and_forces(charge, sigma, atoms)
    assert other.energy == pytest.approx(found.energy, abs=1e-9)
    np.testing.assert_allclose(other.forces, found.forces, atol=1e-9)
    np.testing.assert_allclose(other.virial, found.virial, atol=2e-8)
    np.testing.assert_allclose(matrix(sigma, atoms), coupling, atol=1e-9)


def test_a_large_cell_uses_real_space_too_and_is_so_many_small_ones():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.rattle(0.2, seed=3)
    large = atoms.repeat((5, 4, 4))
    found = [
        energy_and_forces(np.where(a.numbers == 11, 1.0, -1.0), np.full(len(a), 0.5), a)
        for a in (atoms, large)
    ]
    together = [electrostatics.split(np.full(len(a), 0.5), a)[1] for a in (atoms, large)]
    assert together == [True, False]
    assert found[1].energy == pytest.approx(80 * found[0].energy, abs=1e-7)
    np.testing.assert_allclose(found[1].forces[:8], found[0].forces, atol=1e-8)
    np.testing.assert_allclose(found[1].virial, 80 * found[0].virial, atol=1e-6)


@PERIODIC
def test_turned_shifted_and_reordered(periodic):
    charge, sigma, atoms = charged(4, periodic)
    found = energy_and_forces(charge, sigma, atoms)
    rng = np.random.default_rng(0)
    turn, order = random_rotation(rng), rng.permutation(len(atoms))
    other = Atoms(
        atoms.numbers[order],
        (atoms.positions @ turn.T + [3.0, -70.0, 0.2])[order],
        cell=atoms.cell.array @ turn.T,
        pbc=atoms.pbc,
    )
    again = energy_and_forces(charge[order], sigma[order], other)
    assert again.energy == pytest.approx(found.energy, abs=1e-9)
    np.testing.assert_allclose(again.forces, (found.forces @ turn.T)[order], atol=1e-9)
    np.testing.assert_allclose(again.virial, turn @ found.virial @ turn.T, atol=1e-8)


@pytest.mark.parametrize("r", [1e-7, 1e-4, 9.9e-4, 1.01e-3, 0.5, 4.0])
@pytest.mark.parametrize("gamma", [0.4, 2.0])
def test_of_one_pair(r, gamma):
    from math import erf, exp, pi

    value, slope = kernels.smeared(r, gamma)
    assert value == pytest.approx(erf(gamma * r) / r, rel=1e-9)
    if gamma * r > 0.01:
        exact = (2 * gamma / pi**0.5 * exp(-((gamma * r) ** 2)) - erf(gamma * r) / r) / r**2
        assert slope == pytest.approx(exact, rel=1e-9)
    else:
        assert slope == pytest.approx(-4.0 / (3.0 * pi**0.5) * gamma**3, rel=1e-4)


def test_half_of_all_waves():
    _, _, atoms = charged(5)
    waves = waves_of(atoms, np.array([2.0, 1.25]))
    assert len(waves.k_kc) > 40
    np.testing.assert_allclose(waves.h_ki @ waves.reciprocal, waves.k_kc, atol=1e-12)
    both = {tuple(h) for h in np.concatenate([waves.h_ki, -waves.h_ki]).tolist()}
    assert len(both) == 2 * len(waves.h_ki) and (0, 0, 0) not in both
    wide = np.array(list(np.ndindex(31, 31, 31))) - 15
    within = np.linalg.norm(wide @ waves.reciprocal, axis=1) < 2.0 * 5.0 * 0.4
    assert within.sum() == len(both) + 1
