"""The fitted potential as physics: derivatives, symmetry, continuity."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111, make_supercell, molecule
from helpers import (
    along_atom,
    along_strain,
    images_within,
    morse_labels,
    random_rotation,
    random_structure,
    structures,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from potential_helpers import SYMBOLS, make, three_species

from gapy.descriptors import smooth_soap

TOLERANCE = 1e-5
CHECKED = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture
def potential():
    return three_species()


def no_pair_at_the_cutoff(atoms, margin=0.01):
    """Second derivatives jump there, and finite differences across it are not accurate."""
    cutoff = three_species().cutoff
    lengths = np.array([np.linalg.norm(v) for *_, v in images_within(atoms, cutoff + margin)])
    return not (np.abs(lengths - cutoff) < margin).any()


def energy_of(potential):
    return lambda atoms: potential.evaluate(atoms).energy


def check_derivatives(potential, atoms):
    """Forces and stress against finite differences of the energy, relative to the largest."""
    calculator = potential.calculator()
    calculator.calculate(atoms)
    forces = calculator.results["forces"]
    scale = max(np.abs(forces).max(), 0.1)
    for j in {0, len(atoms) - 1}:
        for c in range(3):
            numerical = -along_atom(energy_of(potential), atoms, j, c)
            assert abs(forces[j, c] - numerical) < TOLERANCE * scale
    if atoms.pbc.any() and atoms.cell.volume > 0:
        stress = calculator.results["stress"]
        scale = max(np.abs(stress).max(), 1e-3)
        for v in range(6):
            numerical = along_strain(energy_of(potential), atoms, v) / atoms.get_volume()
            assert abs(stress[v] - numerical) < TOLERANCE * scale


@given(atoms=structures(SYMBOLS, n_atoms=5))
@CHECKED
def test_forces_and_stress_of_random_structures(atoms):
    assume(no_pair_at_the_cutoff(atoms))
    check_derivatives(three_species(), atoms)


@given(atoms=structures(SYMBOLS, n_atoms=2, length=2.2))
@CHECKED
def test_forces_and_stress_of_cells_smaller_than_the_cutoff(atoms):
    assume(no_pair_at_the_cutoff(atoms))
    check_derivatives(three_species(), atoms)


def test_forces_and_stress_of_slabs_molecules_and_lone_atoms(potential):
    slab = fcc111("Si", (1, 2, 2), a=4.2, vacuum=3.0)
    slab.symbols[1] = "O"
    slab.rattle(0.1, seed=3)
    no_third_vector = slab.copy()
    no_third_vector.cell[2] = 0.0
    gas = molecule("CO2")
    gas.rattle(0.05, seed=2)
    for atoms in (slab, no_third_vector, gas, Atoms("Si"), Atoms("C", cell=[3, 3, 3], pbc=True)):
        check_derivatives(potential, atoms)


@pytest.mark.parametrize("mode", ["mu2", "mu1nu1", "crossover"])
@pytest.mark.parametrize("zeta", [1, 2, 5])
def test_forces_and_stress_of_other_kernels(mode, zeta):
    rng = np.random.default_rng(zeta)
    weights = {"Si": 1.0, "C": 0.5}
    soap = smooth_soap(
        ["Si", "C"], r_cut=3.5, n_max=3, l_max=2, rbf="polynomial" if zeta == 2 else "gto",
        compression={"mode": mode, "species_weighting": weights},
    )  # fmt: skip
    frames = [morse_labels(random_structure(rng, ("Si", "C"), 4)) for _ in range(4)]
    check_derivatives(
        make(soap, frames, zeta=zeta), random_structure(rng, ("Si", "C"), 4, (1, 0, 1))
    )


def everything(potential, atoms):
    out = potential.evaluate(atoms, local_std=True)
    return out.energy, out.energies, out.forces, out.virial, out.energies_std


@given(atoms=structures(SYMBOLS, n_atoms=5), seed=st.integers(0, 1000))
@CHECKED
def test_rotation_inversion_translation_permutation(atoms, seed):
    potential = three_species()
    rng = np.random.default_rng(seed)
    energy, local, forces, virial, std = everything(potential, atoms)
    for turn in (random_rotation(rng), -np.eye(3)):
        turned = atoms.copy()
        turned.positions, turned.cell = atoms.positions @ turn, atoms.cell.array @ turn
        e, loc, f, v, s = everything(potential, turned)
        assert abs(e - energy) < 1e-10 * max(1, abs(energy))
        np.testing.assert_allclose(loc, local, atol=1e-9)
        np.testing.assert_allclose(f, forces @ turn, atol=1e-9)
        np.testing.assert_allclose(v, turn.T @ virial @ turn, atol=1e-8)
        np.testing.assert_allclose(s, std, atol=1e-7)
    moved = atoms.copy()
    moved.positions += rng.uniform(-20, 20, 3)
    moved.wrap()
    e, loc, f, *_ = everything(potential, moved)
    assert abs(e - energy) < 1e-10 * max(1, abs(energy))
    np.testing.assert_allclose(f, forces, atol=1e-9)
    order = rng.permutation(len(atoms))
    e, loc, f, *_ = everything(potential, atoms[order])
    assert abs(e - energy) < 1e-10 * max(1, abs(energy))
    np.testing.assert_allclose(loc, local[order], atol=1e-10)
    np.testing.assert_allclose(f, forces[order], atol=1e-10)
    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(virial, virial.T, atol=1e-8)


def test_supercells_are_extensive(potential):
    atoms = random_structure(np.random.default_rng(4), SYMBOLS, 3, length=3.5)
    energy, local, forces, virial, std = everything(potential, atoms)
    cells = [atoms.repeat((2, 1, 3)), make_supercell(atoms, [[1, 1, 0], [0, 1, 2], [1, 0, 1]])]
    for big in cells:
        n = len(big) // len(atoms)
        e, loc, _, v, s = everything(potential, big)
        assert e == pytest.approx(n * energy, rel=1e-10)
        np.testing.assert_allclose(v, n * virial, atol=1e-9 * n)
        np.testing.assert_allclose(np.sort(loc), np.sort(np.tile(local, n)), atol=1e-10)
        np.testing.assert_allclose(np.sort(s), np.sort(np.tile(std, n)), atol=1e-6)
    big = atoms.repeat((2, 1, 3))
    np.testing.assert_allclose(everything(potential, big)[2], np.tile(forces, (6, 1)), atol=1e-9)


def test_separate_clusters_add_up(potential):
    one, two = molecule("CO2"), molecule("H2O")
    two.symbols[:] = ["O", "Si", "C"]
    far = two.copy()
    far.positions += 30.0
    both = one + far
    sum_of = potential.evaluate(one).energy + potential.evaluate(two).energy
    assert potential.evaluate(both).energy == pytest.approx(sum_of, abs=1e-10)


def test_energy_and_forces_are_continuous_where_an_atom_crosses_the_cutoff(potential):
    def at(r):
        out = potential.evaluate(Atoms("SiCO", [[0, 0, 0], [1.6, 0.3, 0], [0.1, 0, r]]))
        return np.array([out.energy, *out.forces.ravel()])

    cutoff = potential.cutoff
    # The weight ends as (r0 - r)^2: energies as the square, forces linearly in the distance.
    steps = np.array([1e-2, 1e-3, 1e-4, 1e-5])
    outside = at(cutoff + 1e-9)
    jumps = np.array([np.abs(at(cutoff - h) - outside) for h in steps])
    assert (jumps[:, 0] < 10 * steps**2).all()
    assert (jumps[:, 1:].max(axis=1) < 50 * steps).all()
    assert jumps[0].max() > 0.0, "the atom was never seen"


@given(atoms=structures(SYMBOLS, n_atoms=5))
@CHECKED
def test_predict_equals_evaluate(atoms):
    potential = three_species()
    mean, std = potential.predict(atoms)
    fast = potential.evaluate(atoms, local_std=True)
    assert mean.energy == pytest.approx(fast.energy, abs=1e-9)
    np.testing.assert_allclose(mean.energies, fast.energies, atol=1e-9)
    np.testing.assert_allclose(mean.forces, fast.forces, atol=1e-8)
    np.testing.assert_allclose(std.energies**2, fast.energies_std**2, atol=1e-8)
    if atoms.pbc.any():
        stress = fast.virial / atoms.get_volume()
        expected = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        np.testing.assert_allclose(mean.stress, expected, atol=1e-8)
    else:
        assert mean.stress is None and std.stress is None


def test_threads_give_bit_identical_results(potential):
    atoms = random_structure(np.random.default_rng(5), SYMBOLS, 4).repeat((5, 4, 4))
    atoms.rattle(0.05, seed=1)
    one = everything(potential, atoms)
    assert len(atoms) > 4 * 64
    for threads in (2, 3):
        out = potential.evaluate(atoms, local_std=True, threads=threads)
        for a, b in zip(one, (out.energy, out.energies, out.forces, out.virial, out.energies_std)):
            np.testing.assert_array_equal(a, b)


def test_e0_is_added_to_local_energies():
    rng = np.random.default_rng(6)
    frames = [morse_labels(random_structure(rng, ("Si", "C"), 4)) for _ in range(4)]
    shifted = [f.copy() for f in frames]
    for f in shifted:
        f.info["REF_energy"] += -50.0 * (f.numbers == 14).sum() + 3.0 * (f.numbers == 6).sum()
    soap = smooth_soap(["Si", "C"], r_cut=3.5, n_max=3, l_max=3)
    plain, offset = make(soap, frames), make(soap, shifted, e0={"Si": -50.0, "C": 3.0})
    atoms = random_structure(rng, ("Si", "C"), 5)
    a, b = plain.evaluate(atoms), offset.evaluate(atoms)
    expected = a.energies + np.where(atoms.numbers == 14, -50.0, 3.0)
    np.testing.assert_allclose(b.energies, expected, atol=1e-8)
    np.testing.assert_allclose(b.forces, a.forces, atol=1e-8)


def test_no_atoms_and_one_atom(potential):
    lone = potential.evaluate(Atoms("Si"), local_std=True)
    assert not lone.forces.any() and not lone.virial.any()
    assert np.isfinite(lone.energy) and 0.0 <= lone.energies_std[0] <= 1.0
    mean, std = potential.predict(Atoms("Si"))
    assert mean.energy == pytest.approx(lone.energy, abs=1e-12)
    assert not std.forces.any()


def test_repr_is_one_line(potential):
    assert repr(potential).startswith("Potential(C, O, Si; ")
    assert "cutoff 3.50 A" in repr(potential)
