"""Properties of crystals with ASE's EMT against what is computed by hand."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.eos import EquationOfState
from ase.optimize import BFGS
from ase.units import GPa, kB

from gapy.errors import GapyError, PropertyError
from gapy.geometry.neighbours import neighbour_list
from gapy.properties import (
    elastic,
    eos,
    interstitial,
    phase_order,
    phonons,
    prototypes,
    relax,
    vacancy,
)
from gapy.properties.defects import largest_hole
from gapy.properties.equation_of_state import birch_murnaghan, fitted
from gapy.properties.nonaffine import nonaffine
from gapy.properties.phase import phase_of


def copper(a: float):
    atoms = bulk("Cu", a=a)
    atoms.calc = EMT()
    return atoms


class Altered(Calculator):
    """EMT plus a pair energy of a given size."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, size: float):
        super().__init__()
        self.size, self.inner = size, EMT()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        from ase.calculators.lj import LennardJones

        pair = LennardJones(sigma=2.3, epsilon=self.size, rc=5.0, ro=4.0, smooth=True)
        self.results = {
            name: self.inner.get_property(name, atoms) + pair.get_property(name, atoms)
            for name in ("energy", "forces", "stress")
        }


def test_the_lattice_and_bulk_modulus_are_those_of_ase():
    grid = np.linspace(3.53, 3.66, 9)
    energies = [copper(a).get_potential_energy() for a in grid]
    v0, e0, bulk_modulus = EquationOfState(grid**3 / 4, energies, "birchmurnaghan").fit()
    found = eos(EMT(), bulk("Cu", a=3.7)).numbers()
    assert found["a"] == pytest.approx((4 * v0) ** (1 / 3), abs=1e-3)
    assert found["volume"] == pytest.approx(v0, abs=0.01)
    assert found["energy"] == pytest.approx(e0, abs=1e-5)
    assert found["B"] == pytest.approx(bulk_modulus / GPa, rel=0.01)
    relaxed = relax(EMT(), bulk("Cu", a=3.7))
    assert relaxed.numbers()["a"] == pytest.approx(found["a"], abs=2e-3)


def test_the_equation_of_birch_and_murnaghan_gives_back_its_parameters():
    volumes = np.linspace(9.0, 12.0, 9)
    wanted = (-3.0, 0.8, 4.5, 10.4)
    np.testing.assert_allclose(fitted(volumes, birch_murnaghan(volumes, *wanted)), wanted)


def test_elastic_constants_are_differences_of_stresses():
    a = eos(EMT(), bulk("Cu")).numbers()["a"]

    def stress(strain):
        atoms = copper(a)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        return atoms.get_stress()

    def slope(i, j, size):
        strain = np.zeros((3, 3))
        strain[i, j] += size / 2
        strain[j, i] += size / 2
        return (stress(strain) - stress(-strain)) / (2 * size) / GPa

    along, sheared = slope(0, 0, 1e-3), slope(1, 2, 1e-3)
    for symmetry in ("cubic", "triclinic"):
        found = elastic(EMT(), bulk("Cu"), strain=2e-3, symmetry=symmetry).numbers()
        assert found["C11"] == pytest.approx(along[0], rel=0.01)
        assert found["C12"] == pytest.approx(along[1], rel=0.01)
        assert found["C44"] == pytest.approx(sheared[3], rel=0.01)


def test_atoms_inside_the_cell_follow_the_strain():
    found = elastic(EMT(), bulk("Cu", "hcp", a=2.55, covera=1.63), strain=2e-3)
    relaxed, clamped = found.relaxed, found.clamped
    # Hexagonal: 21 numbers, of which c66 = (c11 - c12)/2; what relaxes is softer.
    assert set(found.numbers()) > {"C13", "C33", "C66"} and len(found.numbers()) == 22
    assert relaxed[5, 5] == pytest.approx((relaxed[0, 0] - relaxed[0, 1]) / 2, rel=0.02)
    assert relaxed[5, 5] < 0.99 * clamped[5, 5]
    crystal = found.atoms
    energies = []
    for size in (0.0, 4e-3, -4e-3):
        strain = np.eye(3)
        strain[0, 1] = strain[1, 0] = size / 2
        atoms = crystal.copy()
        atoms.set_cell(crystal.cell.array @ strain, scale_atoms=True)
        atoms.calc = EMT()
        BFGS(atoms, logfile=None).run(fmax=1e-5)
        energies.append(atoms.get_potential_energy())
    curvature = (energies[1] + energies[2] - 2 * energies[0]) / 4e-3**2
    assert relaxed[5, 5] == pytest.approx(curvature / crystal.get_volume() / GPa, rel=0.02)


def test_to_first_order_atoms_go_where_they_relax_to():
    crystal = bulk("Cu", "hcp", a=2.55, covera=1.63)
    relaxed = elastic(EMT(), crystal, strain=2e-3, force=1e-5)
    found = elastic(EMT(), crystal, strain=2e-3, force=1e-5, method="hessian")
    moved = np.abs(relaxed.clamped - relaxed.relaxed).max()
    assert moved > 3.0
    np.testing.assert_allclose(found.relaxed, relaxed.relaxed, atol=0.02 * moved)
    np.testing.assert_allclose(found.clamped, relaxed.clamped, atol=1e-6)
    unstable = relax(EMT(), bulk("Cu", "sc", a=2.4, cubic=True), cell="isotropic").atoms.repeat(2)
    with pytest.raises(PropertyError, match="no minimum"):
        nonaffine(EMT(), unstable)


@pytest.mark.parametrize(
    "options, words", [({"strain": 0.5}, "strain"), ({"symmetry": "x"}, "symm")]
)
def test_elastic_settings_are_checked(options, words):
    with pytest.raises(GapyError, match=words):
        elastic(EMT(), bulk("Cu"), **options)


def test_vacancies_of_a_compound_are_those_of_a_formula_unit():
    crystal = bulk("CuAu", "cesiumchloride", a=3.0)
    found = vacancy(EMT(), crystal, supercell=(2, 2, 2), force=0.05)
    start = relax(EMT(), crystal, cell="isotropic").atoms.repeat(2)
    start.calc = EMT()
    whole = start.get_potential_energy()
    energies = []
    for symbol in ("Cu", "Au"):
        hole = start.copy()
        del hole[start.symbols.search(symbol)[0]]
        hole.calc = EMT()
        energies.append(hole.get_potential_energy())
    # Both holes, far apart, and the pair of atoms in a crystal elsewhere.
    schottky = sum(energies) - 2 * whole + 2 * whole / len(start)
    assert found.numbers()["unrelaxed vacancy"] == pytest.approx(schottky, abs=5e-3)
    assert found.numbers()["vacancy"] < schottky


def test_prototypes_have_their_composition_and_volume():
    for name, atoms in prototypes("Si", 15.0).items():
        assert set(atoms.symbols) == {"Si"}, name
        room = atoms.get_volume() / len(atoms) / 15.0
        assert 0.9 < room < 1.6 and (name not in ("fcc", "hcp") or room == pytest.approx(1.0))
    assert set(prototypes("AlAs", 15.0)) == {"zincblende", "wurtzite", "rocksalt", "cesiumchloride"}
    with pytest.raises(PropertyError, match="one element or two in equal parts"):
        prototypes("SiO2", 15.0)


def test_a_rattled_start_may_find_its_symmetry():
    pytest.importorskip("spglib")
    start = bulk("Cu", cubic=True)
    start.rattle(0.1, seed=1)
    assert phase_of(start).space_group == 1
    assert phase_of(relax(EMT(), start, force=1e-4).atoms).space_group == 225


def test_a_vacancy_costs_what_the_energies_say():
    start = relax(EMT(), bulk("Cu"), cell="isotropic").atoms
    whole = start.repeat(2)
    whole.calc = EMT()
    per_atom = whole.get_potential_energy() / 8
    hole = whole[1:]
    hole.calc = EMT()
    bare = hole.get_potential_energy() - 7 * per_atom
    BFGS(hole, logfile=None).run(fmax=0.01)
    found = vacancy(EMT(), bulk("Cu"), supercell=(2, 2, 2)).numbers()
    assert found["unrelaxed vacancy"] == pytest.approx(bare, abs=2e-3)
    assert found["vacancy"] == pytest.approx(hole.get_potential_energy() - 7 * per_atom, abs=5e-3)
    more = interstitial(EMT(), bulk("Cu", cubic=True), site=(0.5, 0.5, 0.5), force=0.05)
    assert more.numbers()["interstitial"] > 2.0
    with pytest.raises(GapyError, match="expected a crystal of one element"):
        interstitial(EMT(), bulk("CuAu", "rocksalt", a=5.0), site=(0.5, 0.5, 0.5))


class Collapsing(EMT):
    """EMT, which has no answer for cells of two atoms."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        if len(atoms) == 2:
            raise ValueError("atoms in one place")
        super().calculate(atoms, properties, system_changes)


def test_phases_are_in_order_and_those_that_collapse_have_no_energy():
    phases = {"fcc": bulk("Cu", a=3.6), "hcp": bulk("Cu", "hcp", a=2.55, covera=1.63)}
    found = phase_order(EMT(), phases)
    hcp = bulk("Cu", "hcp", a=2.55, covera=1.63)
    wanted = relax(EMT(), hcp).energy / 2 - relax(EMT(), phases["fcc"]).energy
    assert found.numbers()["hcp"] == pytest.approx(wanted, abs=1e-4)
    assert found.order[0] == min(found.energies, key=found.energies.get)
    collapsed = phase_order(Collapsing(), {**phases, "fcc again": bulk("Cu", a=3.7)})
    assert set(collapsed.failed) == {"hcp"} and "atoms in one place" in collapsed.failed["hcp"]
    assert set(collapsed.numbers()) == {"fcc again"}
    with pytest.raises(PropertyError, match=r"Cu2 cannot be followed .*atoms in one place"):
        phase_order(Collapsing(), {"hcp": hcp, "fcc": bulk("Cu")})
    with pytest.raises(GapyError, match="at least two"):
        phase_order(EMT(), {"fcc": bulk("Cu")})


def test_a_relaxation_that_leaves_its_phase_is_no_number():
    sheared = bulk("Cu", "bcc", a=2.87, cubic=True)
    sheared.set_cell(sheared.cell.array * [1.0, 1.0, 1.12], scale_atoms=True)
    with pytest.raises(PropertyError, match="left its phase"):
        relax(EMT(), sheared, cell="free")
    assert relax(EMT(), sheared, cell="free", same_phase=False).energy < 0.1

    with pytest.raises(PropertyError, match="steps"):
        relax(EMT(), bulk("Cu", a=3.9), steps=1)


def test_phonons_are_those_of_the_dynamical_matrix():
    found = phonons(EMT(), bulk("Cu"), supercell=(2, 2, 2))
    # At X neighbouring planes move against one another: the 8-atom cell holds that wave.
    crystal = found.atoms.repeat(2)
    phase = np.cos(np.pi * np.round(np.linalg.solve(found.atoms.cell.array.T, crystal.positions.T)))
    signs = phase[1] * phase[2]
    hessian = np.zeros((3, 3))
    for c in range(3):
        forces = []
        for size in (0.01, -0.01):
            moved = crystal.copy()
            moved.calc = EMT()
            moved.positions[:, c] += size * signs
            forces.append((moved.get_forces() * signs[:, None]).mean(axis=0))
        hessian[c] = (forces[1] - forces[0]) / 0.02
    w2 = np.linalg.eigvalsh(0.5 * (hessian + hessian.T)) / crystal.get_masses()[0]
    to_thz = 1e-12 * np.sqrt(1.602176634e-19 * 1e20 / 1.66053907e-27) / (2 * np.pi)
    np.testing.assert_allclose(found.points["X"], np.sqrt(w2) * to_thz, rtol=5e-3)
    np.testing.assert_allclose(found.points["G"], 0.0, atol=1e-3)
    assert found.is_stable and 0.8 * 3 * kB < found.thermal["heat capacity"] < 3 * kB


def test_properties_to_first_order_follow_a_change_of_the_energies():
    from gapy.properties.linearised import NAMES, linearised

    size = 2e-4
    for name in NAMES:
        phases = None
        if name == "phases":
            phases = {"fcc": bulk("Cu"), "hcp": bulk("Cu", "hcp", a=2.55, covera=1.63)}
        of = linearised(name, EMT(), bulk("Cu"), phases=phases)
        changes = []
        for frame in of.frames:
            energies = []
            for calculator in (Altered(size), EMT()):
                again = frame.copy()
                again.calc = calculator
                energies.append(again.get_potential_energy())
            changes.append(energies[0] - energies[1])
        predicted = of.coefficients @ np.array(changes)
        there = linearised(name, Altered(size), bulk("Cu"), phases=phases).values
        back = linearised(name, Altered(-size), bulk("Cu"), phases=phases).values
        change = (there - back) / 2
        # To a twentieth of the largest change of the property's numbers, which is no rounding.
        assert np.abs(change).max() > 1e-6
        np.testing.assert_allclose(predicted, change, rtol=0.0, atol=0.05 * np.abs(change).max())
    with pytest.raises(GapyError, match="property: expected one of"):
        linearised("colour", EMT(), bulk("Cu"))


@pytest.mark.parametrize(
    ("crystal", "room"),
    [
        (bulk("Si", a=5.43), 3**0.5 / 4 * 5.43),  # tetrahedral, as far as a bond
        (bulk("Si", a=5.43, cubic=True), 3**0.5 / 4 * 5.43),
        (bulk("Cu", a=3.6), 3.6 / 2),  # octahedral
        (bulk("Fe", a=2.87), 5**0.5 / 4 * 2.87),  # tetrahedral
        (bulk("Mg", a=3.2, c=3.2 * (8 / 3) ** 0.5), 3.2 / 2**0.5),  # octahedral
    ],
    ids=["diamond", "diamond cubic", "fcc", "bcc", "hcp"],
)
def test_the_largest_hole_is_where_textbooks_say(crystal, room):
    site = largest_hole(crystal)
    more = crystal.copy() + Atoms("H", [site @ crystal.cell.array])
    found = neighbour_list(more.positions, more.cell.array, more.pbc, 4.0)
    of_it = found.i_p == len(crystal)
    assert np.linalg.norm(found.r_pc[of_it], axis=1).min() == pytest.approx(room, rel=1e-6)
    again = crystal[::-1]
    again.wrap()
    np.testing.assert_allclose(largest_hole(again), site, atol=1e-6)


def test_an_interstitial_begins_in_the_largest_hole():
    there = interstitial(EMT(), bulk("Cu", cubic=True), site=(0.5, 0.5, 0.5), force=0.05)
    found = interstitial(EMT(), bulk("Cu", cubic=True), force=0.05)
    assert found.unrelaxed == pytest.approx(there.unrelaxed, abs=1e-3)


@pytest.mark.parametrize("function", [eos, elastic, vacancy, phonons])
def test_crystals_only(function):
    with pytest.raises(GapyError, match="periodic"):
        function(EMT(), Atoms("Cu2", [[0, 0, 0], [0, 0, 2.2]]))
