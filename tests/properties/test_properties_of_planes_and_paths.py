"""Surfaces, stacking faults, migration, motion, scans, beside what is known otherwise."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.neighborlist import neighbor_list
from ase.units import _e

from gapy.errors import GapyError, PropertyError
from gapy.properties import (
    bonds,
    melting,
    melting_point,
    migration,
    motion,
    stacking,
    surfaces,
    torsions,
)
from gapy.properties.at_temperature import diffusion, displacements
from gapy.properties.cutting import cut, layers_for
from gapy.properties.lattices import conventional, lattice_of
from gapy.properties.melting_point import growth, halved, order, share
from gapy.properties.relaxing import relax
from gapy.properties.scans import turning, turns
from gapy.properties.stacking_fault import _intrinsic, _sheared
from gapy.properties.supercells import repeats_of

J_PER_M2 = _e * 1e20
"""1 eV/A^2."""


def energy(atoms) -> float:
    atoms.calc = EMT()
    return atoms.get_potential_energy()


def test_a_surface_costs_what_a_slab_made_otherwise_says():
    found = surfaces(EMT(), bulk("Cu"), planes=((1, 1, 1), (1, 0, 0)), force=0.05)
    a = found.slabs[1].cell.lengths()[0]  # the relaxed lattice constant
    each = energy(bulk("Cu", a=a))
    slab = fcc111("Cu", (1, 1, 6), a=a, vacuum=8.0)
    area = np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))
    known = (energy(slab) - 6 * each) / (2 * area) * J_PER_M2
    assert found.unrelaxed["(111)"] == pytest.approx(known, rel=0.01)
    assert found.unrelaxed["(111)"] < found.unrelaxed["(100)"]  # close-packed planes are cheapest
    assert all(found.relaxed[k] <= found.unrelaxed[k] for k in found.relaxed)
    assert found.unit_of("(111)") == "J/m^2" and not found.failed


def test_polar_planes_are_left_out():
    """Planes along (100) of caesium chloride's lattice hold one element each."""
    alloy = bulk("CuAu", "cesiumchloride", a=3.05)
    found = surfaces(EMT(), alloy, planes=((1, 0, 0), (1, 1, 0)), force=0.05)
    assert set(found.relaxed) == {"(110)"} and not found.failed
    with pytest.raises(PropertyError, match="all slabs have two unlike sides"):
        surfaces(EMT(), alloy, planes=((1, 0, 0),))


def noisy(atoms, rng):
    """A crystal as a relaxation leaves it: rounding on positions and cell."""
    out = atoms.copy()
    out.positions += 1e-6 * rng.normal(size=out.positions.shape)
    out.set_cell(out.cell.array @ (np.eye(3) + 1e-7 * rng.normal(size=(3, 3))), scale_atoms=True)
    return out


def per_plane(atoms):
    """Numbers of atoms that share a height."""
    z = np.sort(atoms.positions[:, 2])
    return [len(part) for part in np.split(z, np.flatnonzero(np.diff(z) > 0.05) + 1)]


@pytest.mark.parametrize("plane", [(1, 0, 0), (1, 1, 0), (1, 1, 1)])
@pytest.mark.parametrize("crystal", [bulk("Si", a=5.4), bulk("Fe", a=2.85), bulk("Cu", a=3.6)])
def test_rounding_does_not_tear_a_plane(plane, crystal):
    rng = np.random.default_rng(0)
    for _ in range(10):
        cell = conventional(noisy(crystal, rng))
        slab = cut(cell, plane, layers_for(cell, plane, 10.0))
        assert len(set(per_plane(slab))) == 1
        assert (
            10.0
            < np.ptp(slab.positions[:, 2])
            < 10.0 + 1.0 / np.linalg.norm(cell.cell.reciprocal().array.T @ plane)
        )


def test_a_cut_of_diamond_breaks_one_bond_of_an_atom_and_bcc_shears_whole_planes():
    rng = np.random.default_rng(0)
    slab = cut(conventional(noisy(bulk("Si", a=5.4), rng)), (1, 1, 1), 4)
    slab.center(5.0, axis=2)
    bonds_of = np.bincount(neighbor_list("i", slab, 2.6))
    assert sorted(set(bonds_of)) == [3, 4] and (bonds_of == 3).sum() == 8
    iron = conventional(noisy(bulk("Fe", a=2.85), rng))
    whole, sheared = cut(iron, (1, 1, 0), 8), _sheared(iron)
    assert set(per_plane(sheared)) == {2} and len(sheared) == 16
    assert (np.bincount(neighbor_list("i", whole, 2.6)) == 8).all()
    assert np.linalg.norm(sheared.cell[2] - whole.cell[2]) == pytest.approx(
        2.85 * np.sqrt(3.0) / 4.0, rel=1e-4
    )


def test_lattices_by_name():
    cells = {"fcc": bulk("Cu"), "bcc": bulk("Fe", cubic=True), "diamond": bulk("Si").repeat(2)}
    cells["zincblende"] = bulk("AlAs", "zincblende", a=5.6)
    assert {name: lattice_of(atoms) for name, atoms in cells.items()} == {n: n for n in cells}
    assert lattice_of(bulk("Ti")) is None and len(conventional(bulk("Si"))) == 8


def test_a_stacking_fault_is_a_shifted_half():
    """The order of planes gives the same energy as a crystal that is slid over itself."""
    found = stacking(EMT(), bulk("Cu"), force=0.05)
    cell = conventional(bulk("Cu"))
    side = cell.cell.lengths()[0] / np.sqrt(2.0)
    whole = fcc111("Cu", (1, 1, 9), a=cell.cell.lengths()[0])
    whole.cell[2] = [0.0, 0.0, 9 * side * np.sqrt(2.0 / 3.0)]
    whole.pbc = True
    perfect = energy(whole)
    slid = whole.copy()
    slid.cell[2] += [0.0, side / np.sqrt(3.0), 0.0]
    other = whole.copy()
    other.cell[2] -= [0.0, side / np.sqrt(3.0), 0.0]
    area = np.linalg.norm(np.cross(whole.cell[0], whole.cell[1]))
    ways = [(energy(s) - perfect) / area * J_PER_M2 for s in (slid, other)]
    bare = _intrinsic(cell, "fcc")
    gamma = (energy(bare) - len(bare) * perfect / 9) / area * J_PER_M2
    # One way is the fault, the other puts atoms on top of each other.
    assert min(ways) == pytest.approx(gamma, abs=1e-6) and max(ways) > 0.3
    assert found.numbers().keys() == {"intrinsic"}
    assert found.energy == pytest.approx(gamma, abs=5e-3)


def test_a_fault_of_diamond_keeps_four_neighbours_and_bcc_has_a_way_over():
    faulted = _intrinsic(conventional(bulk("Si", a=5.43)), "diamond")
    i = neighbor_list("i", faulted, 2.6)
    assert (np.bincount(i) == 4).all() and len(faulted) == 16
    calculator = LennardJones(sigma=2.3, epsilon=0.4, rc=5.0, smooth=True)
    start = bulk("Fe", "bcc", a=2.3 * 1.25)
    found = stacking(calculator, start, force=0.05)
    assert found.numbers().keys() == {"unstable"}
    cell = conventional(relax(calculator, start, cell="isotropic").atoms)
    rigid, whole = _sheared(cell), cut(cell, (1, 1, 0), 8)
    rigid.calc = whole.calc = calculator
    area = np.linalg.norm(np.cross(whole.cell[0], whole.cell[1]))
    most = (rigid.get_potential_energy() - whole.get_potential_energy()) / area * J_PER_M2
    assert 0.1 < found.energy < most  # atoms free to move across the planes cost less
    with pytest.raises(PropertyError, match="stacking: expected an fcc"):
        stacking(EMT(), bulk("Ti"))


def test_the_barrier_of_a_vacancy_lies_in_the_middle():
    found = migration(EMT(), bulk("Cu", cubic=True), supercell=(2, 2, 1), images=3)
    assert 0.1 < found.barrier < 1.0 and len(found.images) == 5
    assert np.argmax(found.energies) == 2
    np.testing.assert_allclose(found.energies, found.energies[::-1], atol=0.02)
    with pytest.raises(GapyError, match="one element"):
        migration(EMT(), bulk("CuAu", "rocksalt", a=5.5))
    with pytest.raises(GapyError, match="images: expected an odd number"):
        migration(EMT(), bulk("Cu"), images=2)


def test_atoms_of_a_cold_crystal_stay_and_of_a_walk_leave():
    found = motion(EMT(), bulk("Cu"), steps=200, timestep=4.0, supercell=(3, 3, 2))
    assert found.peak == pytest.approx(2.55, abs=0.1)
    assert found.neighbours == pytest.approx(12.0, abs=0.5)
    assert abs(found.diffusion) < 0.3 and found.g[:20].max() == 0.0
    rng = np.random.default_rng(0)
    steps = rng.normal(scale=0.1, size=(400, 50, 3))
    walk = displacements(steps.cumsum(axis=0))
    times = 0.02 * np.arange(40)  # ps
    assert diffusion(times, walk[:40]) == pytest.approx(0.1**2 / (2 * 0.02), rel=0.1)
    assert found.times[1] == pytest.approx(2 * 0.004)
    with pytest.raises(GapyError, match="steps, reach"):
        motion(EMT(), bulk("Cu"), steps=10)


def test_supercells_have_their_faces_far_apart_from_any_cell():
    assert repeats_of(bulk("Si"), None) == (2, 2, 2)
    assert repeats_of(bulk("Si", cubic=True), None) == (2, 2, 2)
    assert repeats_of(bulk("Cu"), None) == (3, 3, 3)
    assert repeats_of(bulk("Cu"), (3, 2, 1)) == (3, 2, 1)
    for wrong in ((2, 2), (2, 2, 0), (2, 2, 1.5)):
        with pytest.raises(GapyError, match="supercell: expected three whole numbers"):
            repeats_of(bulk("Cu"), wrong)


def test_order_of_a_crystal_of_half_of_it_and_of_none():
    crystal = bulk("Cu", cubic=True).repeat((3, 3, 6))
    assert order(crystal, (3, 3, 6)) == pytest.approx(1.0)
    rng = np.random.default_rng(0)
    half = crystal.copy()
    upper = half.get_scaled_positions()[:, 2] >= 0.5
    half.positions[upper] = rng.random((upper.sum(), 3)) @ half.cell.array
    assert order(half, (3, 3, 6)) == pytest.approx(0.5, abs=0.1)
    # The same half and the same whole, hot: the order falls, the share of the crystal does not.
    begun = order(half, (3, 3, 6))
    for amplitude in (0.1, 0.2):
        hot, whole = half.copy(), crystal.copy()
        hot.rattle(amplitude, rng=rng)
        whole.rattle(amplitude, rng=rng)
        assert share(hot, whole, (3, 3, 6)) == pytest.approx(begun, abs=0.06)
    assert order(hot, (3, 3, 6)) < 0.7 * begun
    half.set_scaled_positions(rng.random((len(half), 3)))
    assert share(half, half, (3, 3, 6)) == 0.0
    assert order(half, (3, 3, 6)) < 0.15


def test_halving_ends_about_the_melting_point(monkeypatch):
    tried, low, high = halved(lambda t: 0.1 if t < 1234.0 else -0.1, 300.0, 3000.0, 6)
    assert low < 1234.0 < high and high - low == pytest.approx(2700 / 64) and len(tried) == 6

    for all_alike in (0.1, -0.1):
        with pytest.raises(PropertyError, match="at every temperature from"):
            halved(lambda t, same=all_alike: same, 300.0, 3000.0, 3)

    def frozen(calculator, frame, **options):
        return frame

    monkeypatch.setattr(melting_point, "_end", frozen)
    with pytest.raises(PropertyError, match="half of the crystal stays one"):
        melting(EMT(), bulk("Cu"), supercell=1)
    with pytest.raises(GapyError, match="low, high, halvings"):
        melting(EMT(), bulk("Cu"), low=3000.0, high=300.0)


def test_a_phase_that_has_the_whole_box_has_won():
    assert growth(0.4, 0.6) == pytest.approx(0.2) and growth(0.6, 0.4) == pytest.approx(-0.2)
    # Both had all of it before the share was first looked at.
    assert growth(1.01, 1.0) == 1.0 and growth(0.15, 0.2) == -1.0


def test_a_crystal_that_grows_below_a_temperature_melts_there(
    monkeypatch,
):
    """Runs that end in a hot crystal below a temperature, and mostly melted above it."""

    def melting_at(at):
        rng = np.random.default_rng(1)

        def heated(calculator, frame, **options):
            out = frame.copy()
            if options["ensemble"] == "nvt":
                liquid = out.get_scaled_positions()[:, 2] >= 0.5
                out.positions[liquid] = rng.random((liquid.sum(), 3)) @ out.cell.array
                return out
            if options["steps"] == 1000:  # the phases settle, and their planes soften
                out.rattle(0.15, rng=rng)
                return out
            if options["temperature"] < at:
                out = bulk("Cu", a=frame.cell.lengths()[0] / 2, cubic=True).repeat((2, 2, 4))
                out.set_cell(frame.cell, scale_atoms=True)
            else:
                upper = out.get_scaled_positions()[:, 2] >= 0.25
                out.positions[upper] = rng.random((upper.sum(), 3)) @ out.cell.array
            out.rattle(0.15, rng=rng)
            return out

        monkeypatch.setattr(melting_point, "_end", heated)
        return melting(EMT(), bulk("Cu"), halvings=5)

    found = melting_at(1234.0)
    assert abs(found.temperature - 1234.0) < found.within + 1.0
    assert all((by > 0.1) == (kelvin < 1234.0) for kelvin, by in found.tried.items())
    with pytest.raises(PropertyError, match="shrinks at every temperature"):
        melting_at(0.0)


def test_bonds_and_torsions_find_their_places():
    water = molecule("H2O")
    found = bonds(EMT(), water)
    assert set(found.scans) == {"H-O"}
    numbers = found.numbers()
    assert numbers["H-O x 1"] == min(numbers.values()) == 0.0
    assert not turns(water)
    with pytest.raises(PropertyError, match="torsions: expected a bond"):
        torsions(EMT(), water)
    assert turning({(0, 1), (1, 2), (2, 3)}) == [(0, 1, 2, 3)]


class Springs(Calculator):
    """A spring between every two atoms, at rest where they are at first."""

    implemented_properties = ("energy", "forces")

    def __init__(self, atoms):
        super().__init__()
        self.rest = atoms.get_all_distances()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        d = atoms.get_all_distances()
        vectors = atoms.get_all_distances(vector=True)
        pull = (d - self.rest) / np.where(d > 0.0, d, 1.0)
        self.results["energy"] = 0.25 * ((d - self.rest) ** 2).sum()
        self.results["forces"] = (pull[:, :, None] * vectors).sum(axis=1)


def test_a_torsion_is_a_turn_of_one_half():
    peroxide = molecule("H2O2")
    calculator = Springs(peroxide)
    found = torsions(calculator, peroxide)
    ((name, barrier),) = found.numbers().items()
    assert name == "H-O-O-H 0-1 barrier" and turns(peroxide)
    heights = []
    for angle in range(0, 360, 15):
        turned = peroxide.copy()
        turned.set_dihedral(2, 0, 1, 3, angle, indices=[3])
        turned.calc = calculator
        heights.append(turned.get_potential_energy())
    assert barrier == pytest.approx(max(heights) - min(heights), rel=1e-6) and barrier > 0.01


def test_bad_values_are_refused():
    with pytest.raises(GapyError, match="planes, thickness, vacuum"):
        surfaces(EMT(), bulk("Cu"), planes=())
    with pytest.raises(GapyError, match="surfaces"):
        surfaces(EMT(), Atoms("Cu"))
