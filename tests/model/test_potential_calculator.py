"""The calculator of a potential: results, error bars, refusals, what it remembers."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError, all_properties
from ase.constraints import FixAtoms
from ase.neighborlist import neighbor_list
from helpers import (
    morse_labels,
    random_structure,
)
from potential_helpers import SYMBOLS, make, three_species

from gapy import GAPCalculator
from gapy.descriptors import smooth_soap
from gapy.error_bars.calibration import FIRST
from gapy.errors import GapyError, SpeciesError, StructureError
from gapy.gp.rows import structure_rows


@pytest.fixture
def potential():
    return three_species()


def test_results_and_properties(potential):
    atoms = random_structure(np.random.default_rng(7), SYMBOLS, 5)
    keys = {
        False: {"energy", "free_energy", "energies", "forces", "stress"},
        True: {"energies_std", "forces_std"},
        "full": {"energy_std", "stress_std"},
    }
    expected = set()
    for uncertainty in (False, True, "full"):
        expected |= keys[uncertainty]
        calc = potential.calculator(uncertainty=uncertainty)
        atoms.calc = calc
        atoms.get_potential_energy()
        assert set(calc.results) == expected
        assert expected <= set(calc.implemented_properties)
    local = potential.calculator(uncertainty="local")
    local.calculate(atoms)
    assert set(local.results) == keys[False] | {"energies_std"}
    exact = atoms.calc.results["energies_std"]
    np.testing.assert_allclose(local.results["energies_std"], exact, rtol=1e-2)
    r = atoms.calc.results
    shapes = {k: np.shape(v) for k, v in r.items()}
    assert shapes["energies"] == shapes["energies_std"] == (5,)
    assert shapes["forces"] == shapes["forces_std"] == (5, 3)
    assert shapes["stress"] == shapes["stress_std"] == (6,)
    assert isinstance(r["energy"], float) and r["free_energy"] == r["energy"]
    assert isinstance(r["energy_std"], float)
    assert r["energies"].sum() == pytest.approx(r["energy"])
    assert set(potential.calculator().implemented_properties) >= set(all_properties[:3])
    std = potential.predict(atoms)[1]
    np.testing.assert_allclose(r["forces_std"], std.forces, rtol=1e-6)
    np.testing.assert_allclose(r["stress_std"], std.stress, rtol=1e-6)
    assert r["energy_std"] == pytest.approx(std.energy)


def _beyond(potential, atoms):
    """Squared excess over the reach, summed over neighbours, and closeness, in plain numpy."""
    first = potential.terms[0].descriptor
    i, j, r = neighbor_list("ijd", atoms, first.cutoff)
    excess = np.zeros(len(atoms))
    for term, reach in zip(potential.terms, potential.reach):
        x = term.descriptor.create(atoms)
        unseen = _unseen(term.descriptor, atoms)
        for slot, z in enumerate(term.descriptor.species):
            one, of = reach.species[slot], atoms.numbers == z
            if of.any():
                dx = x[of] - one.mean_d
                m2 = one.rest * ((dx**2).sum(axis=1) + unseen[of])
                m2 -= ((dx @ one.w_dr) ** 2).sum(axis=1)
                far = np.sqrt(np.maximum(m2, 0.0)) / one.limit - 1.0
                excess[of] = np.maximum(excess[of], np.maximum(far, 0.0))
    out = np.log1p(excess) ** 2
    np.maximum.at(out, i, (1.0 - (r / first.cutoff) ** 2) * np.log1p(excess[j]) ** 2)
    out = 0.5 * (np.log1p(excess) ** 2 + out)
    slots = np.searchsorted(first.species, atoms.numbers)
    ratio = np.ones(len(atoms))
    np.maximum.at(ratio, i, potential.reach[0].least_ss[slots[i], slots[j]] / r)
    return out + (ratio**4 - 1.0) ** 2


def _unseen(descriptor, atoms):
    env, out = descriptor.environments(atoms), np.zeros(len(atoms))
    for slot in range(len(descriptor.species)):
        for begin, end in env.blocks(slot):
            state, _ = descriptor.forward(env, begin, end)
            left = descriptor.unseen(env, begin, end, state)
            out[env.atom_i[begin:end]] = 0.0 if left is None else left
    return out


def test_cheap_sigma_is_the_calibrated_one(potential):
    atoms = random_structure(np.random.default_rng(7), SYMBOLS, 5)
    calc = potential.calculator(uncertainty=True)
    calc.calculate(atoms)
    rows = structure_rows(potential.terms, atoms, local=True, forces=False).local
    explained, posterior = potential.posterior.explained_and_posterior(rows)
    prior = sum(t.delta[0] ** 2 for t in potential.terms)
    distances = prior - potential.near.explained(rows)
    first = prior - potential.near.leading(FIRST).explained(rows)
    values = {"first": first, "distances": distances, "variances": prior - explained + posterior}
    own = np.stack([values[name] for name in potential.calibration.follows], axis=1)
    i, j, r = neighbor_list("ijd", atoms, potential.terms[0].descriptor.cutoff)
    weight = 1.0 - (r / potential.terms[0].descriptor.cutoff) ** 2
    around = own.copy()
    np.maximum.at(around, i, weight[:, None] * own[j])
    around = 0.5 * (own + around)
    c = potential.calibration
    g, root_u = np.array(c.curve).T
    weight = ((calc.results["forces"] ** 2).sum(axis=1) + 0.01**2) ** (1 / 12)
    indicator = np.log(around).mean(axis=1) + np.log(weight)
    variance = np.exp(np.interp(indicator, np.log(g), 2.0 * np.log(root_u)))
    variance *= np.maximum(np.exp(indicator) / g[-1], 1.0)
    variance = c.beyond**2 * np.log(1.0 + variance / c.beyond**2)
    sigma = np.sqrt(variance + c.beyond**2 * weight * _beyond(potential, atoms))
    np.testing.assert_allclose(calc.results["forces_std"], np.tile(sigma[:, None], 3), rtol=1e-6)
    # Asking for more does not change what forces_std means.
    cheap = calc.results["forces_std"].copy()
    assert calc.get_property("energy_std", atoms) > 0.0
    np.testing.assert_array_equal(calc.get_property("forces_std", atoms), cheap)


def test_properties_on_request_without_uncertainty(potential):
    atoms = random_structure(np.random.default_rng(8), SYMBOLS, 4)
    atoms.calc = potential.calculator()
    atoms.get_forces()
    assert "energies_std" not in atoms.calc.results
    for name in ("energies_std", "forces_std", "energy_std", "stress_std"):
        assert np.isfinite(atoms.calc.get_property(name, atoms)).all()


def test_no_stress_without_a_periodic_cell(potential):
    atoms = molecule("CO2")
    atoms.calc = potential.calculator(uncertainty="full")
    atoms.get_forces()
    assert "stress" not in atoms.calc.results and "stress_std" not in atoms.calc.results
    for read in (atoms.get_stress, lambda: atoms.calc.get_property("stress_std", atoms)):
        with pytest.raises(PropertyNotImplementedError, match="no periodic cell with a volume"):
            read()


def test_the_calculator_follows_its_atoms(potential):
    """One calculator, many structures: no result and no neighbour list is stale."""
    rng = np.random.default_rng(9)
    calc = potential.calculator(uncertainty=True, skin=0.8)
    atoms = random_structure(rng, SYMBOLS, 5)
    for step in range(25):
        kind = step % 5
        if kind == 0:
            atoms.positions += rng.uniform(-0.15, 0.15, (5, 3))
        elif kind == 1:
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), True)
        elif kind == 2:
            atoms.numbers = rng.permutation(atoms.numbers)
        elif kind == 3:
            atoms.wrap()
        else:
            atoms = random_structure(rng, SYMBOLS, 5, pbc=rng.integers(0, 2, 3))
        calc.calculate(atoms, ["energy", "forces"])
        fresh = potential.evaluate(atoms, local_std=True)
        assert calc.results["energy"] == pytest.approx(fresh.energy, abs=1e-10)
        np.testing.assert_allclose(calc.results["forces"], fresh.forces, atol=1e-10)
        np.testing.assert_allclose(calc.results["energies_std"], fresh.energies_std, atol=1e-7)


def test_skin_does_not_matter(potential):
    atoms = random_structure(np.random.default_rng(10), SYMBOLS, 6)
    energies = []
    for skin in (0.0, 0.5, 3.0):
        calc = potential.calculator(skin=skin)
        calc.calculate(atoms)
        energies.append(calc.results["energy"])
    np.testing.assert_allclose(energies, energies[0], atol=1e-11)


def test_calculator_errors(potential):
    with pytest.raises(GapyError, match="uncertainty: expected one of"):
        GAPCalculator(potential, uncertainty="maybe")
    with pytest.raises(GapyError, match="skin: expected a length of at least 0 A, got -1"):
        potential.calculator(skin=-1)
    for threads in (0, 1.5):
        with pytest.raises(GapyError, match="threads: expected a number of at least 1"):
            potential.calculator(threads=threads)


@pytest.mark.parametrize("use", ["evaluate", "predict", "calculator"])
def test_structures_that_are_refused(potential, use):
    def call(atoms):
        if use == "calculator":
            return potential.calculator().calculate(atoms)
        return getattr(potential, use)(atoms)

    with pytest.raises(SpeciesError, match=r"fitted for \['C', 'O', 'Si'\].*also holds \['Ge'\]"):
        call(Atoms("SiGe", [[0, 0, 0], [0, 0, 2]]))
    with pytest.raises(StructureError, match="on top of each other"):
        call(Atoms("Si2", [[0, 0, 0], [0, 0, 0]]))
    with pytest.raises(StructureError, match="positions: expected finite"):
        call(Atoms("Si2", [[0, 0, 0], [0, 0, np.nan]]))
    with pytest.raises(StructureError, match="cell: periodic directions"):
        call(Atoms("Si2", [[0, 0, 0], [0, 0, 2]], pbc=True))


def test_a_potential_without_images_refuses_periodic_structures():
    rng = np.random.default_rng(11)
    soap = smooth_soap(["Si"], r_cut=3.5, n_max=3, l_max=3, periodic=False)
    frames = [morse_labels(random_structure(rng, ("Si",), 4, (0, 0, 0))) for _ in range(4)]
    potential = make(soap, frames)
    frames[0].calc = potential.calculator()
    assert frames[0].get_potential_energy() == potential.evaluate(frames[0]).energy
    with pytest.raises(StructureError, match=r"periodic=False.*set atoms.pbc = False"):
        potential.calculator().calculate(bulk("Si"))


def test_stress_of_a_molecule_is_refused(potential):
    molecule = random_structure(np.random.default_rng(8), SYMBOLS, 4, pbc=(0, 0, 0))
    molecule.cell[:] = 0.0
    with pytest.raises(GapyError, match="stress: expected a periodic structure"):
        potential.predict(molecule, stress=True)


def test_every_change_that_matters_is_noticed(potential):
    atoms = random_structure(np.random.default_rng(9), SYMBOLS, 5)
    atoms.calc = potential.calculator()
    energy = atoms.get_potential_energy()
    fresh = potential.calculator()

    def check(changed):
        atoms.calc.get_property("energy", changed)
        fresh.calculate(changed)
        assert atoms.calc.results["energy"] == pytest.approx(fresh.results["energy"], abs=1e-10)

    moved = atoms.copy()
    moved.positions[0, 0] += 0.05
    check(moved)
    strained = atoms.copy()
    strained.set_cell(1.01 * strained.cell.array)
    check(strained)
    swapped = atoms.copy()
    swapped.numbers = swapped.numbers[::-1]
    check(swapped)
    open_cell = atoms.copy()
    open_cell.pbc = False
    check(open_cell)
    check(atoms[:3])
    charged = atoms.copy()
    charged.set_initial_charges(np.ones(len(atoms)))
    check(atoms)
    assert atoms.calc.check_state(charged) == []
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-10)


def test_the_calculator_holds_a_copy_of_the_last_structure(potential):
    """A copy that somebody keeps never changes; otherwise it may be filled again."""
    atoms = random_structure(np.random.default_rng(3), SYMBOLS, 5)
    atoms.set_tags(range(5))
    atoms.info["step"] = 0
    calc = atoms.calc = potential.calculator()
    atoms.get_forces()
    held, cell = calc.atoms, calc.atoms.cell
    before = atoms.copy()

    def move(step):
        atoms.positions[0, 0] += 0.01
        atoms.info["step"] = step
        atoms.set_tags(np.arange(5) + step)
        atoms.get_forces()
        found = calc.atoms
        assert found is not atoms and found == atoms and found.info == atoms.info
        assert not any(np.shares_memory(found.arrays[k], a) for k, a in atoms.arrays.items())
        assert (found.get_tags() == atoms.get_tags()).all()

    for step in range(1, 4):
        move(step)
        assert held == before and held.info == {"step": 0} and (held.get_tags() == range(5)).all()
    atoms.set_cell(1.01 * atoms.cell.array)
    move(4)
    assert (cell.array == before.cell.array).all()
    atoms.pbc = (True, False, True)
    move(5)
    atoms.set_constraint(FixAtoms([1]))
    move(6)
    assert calc.atoms.constraints[0].index == [1]
    atoms.set_constraint()
    move(7)
    assert not calc.atoms.constraints
