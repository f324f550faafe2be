"""The fitted potential as physics: derivatives, symmetry, dynamics; and the calculator."""

from functools import cache

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc111, make_supercell, molecule
from ase.calculators.calculator import PropertyNotImplementedError, all_properties
from ase.constraints import FixAtoms
from ase.eos import EquationOfState
from ase.filters import FrechetCellFilter
from ase.md.verlet import VelocityVerlet
from ase.neighborlist import neighbor_list
from ase.optimize import BFGS
from ase.phonons import Phonons
from dscribe.descriptors import SOAP
from helpers import (
    along_atom,
    along_strain,
    images_within,
    morse_labels,
    random_rotation,
    random_structure,
    stillinger_weber,
    structures,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gapy import GAPCalculator, SparseGPRegressor
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError, SpeciesError, StructureError
from gapy.gp.calibration import FIRST
from gapy.gp.rows import structure_rows

SYMBOLS = ("Si", "C", "O")  # not in the order of atomic numbers
TOLERANCE = 1e-5
CHECKED = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def make(soap, frames, **options):
    labels = {"n_inducing": 60, "e0": "zero", "sigma_energy": 0.01, **options}
    return SparseGPRegressor(soap, **labels).fit(frames).potential_


@cache
def three_species():
    """Three species, smooth cutoff, fitted to a pair potential on random structures."""
    rng = np.random.default_rng(0)
    pbcs = [(1, 1, 1), (1, 1, 0), (0, 0, 0)]
    frames = [
        morse_labels(random_structure(rng, SYMBOLS, 6, pbcs[k % 3], min_distance=1.7))
        for k in range(12)
    ]
    return make(smooth_soap(SYMBOLS, r_cut=3.5, n_max=4, l_max=4), frames, zeta=3)


@pytest.fixture
def potential():
    return three_species()


@pytest.fixture(scope="module")
def silicon():
    """Diamond silicon, strained and rattled, labelled with the Stillinger-Weber potential."""
    rng = np.random.default_rng(1)
    frames = []
    for k in range(16):
        atoms = bulk("Si", cubic=True)
        strain = np.eye(3) * (1 + 0.01 * (k % 7 - 3)) + rng.normal(0, 0.01, (3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.rattle(0.015 * k, seed=k)
        frames.append(stillinger_weber(atoms))
    soap = smooth_soap(["Si"], r_cut=4.2, n_max=5, l_max=4)
    return make(soap, frames, n_inducing=80, sigma_energy=0.001, sigma_forces=0.02)


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


# -- derivatives -------------------------------------------------------------------------------


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
    gas.rattle(0.05, seed=1)
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


def test_stress_is_the_response_of_the_calculator_to_strain(silicon):
    """ASE's own finite differences agree, with its sign and Voigt order."""
    from ase.calculators.fd import calculate_numerical_stress

    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=2)
    atoms.calc = silicon.calculator()
    numerical = calculate_numerical_stress(atoms, eps=1e-4)
    np.testing.assert_allclose(atoms.get_stress(), numerical, atol=1e-6)


# -- symmetry ----------------------------------------------------------------------------------


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


# -- evaluate, predict, threads ----------------------------------------------------------------


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


# -- calculator --------------------------------------------------------------------------------


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
        for slot, z in enumerate(term.descriptor.species):
            one, of = reach.species[slot], atoms.numbers == z
            if of.any():
                dx = x[of] - one.mean_d
                m2 = one.rest * (dx**2).sum(axis=1) - ((dx @ one.w_dr) ** 2).sum(axis=1)
                far = np.sqrt(np.maximum(m2, 0.0)) / one.limit - 1.0
                excess[of] = np.maximum(excess[of], np.maximum(far, 0.0))
    out = np.log1p(excess) ** 2
    np.maximum.at(out, i, (1.0 - (r / first.cutoff) ** 2) * np.log1p(excess[j]) ** 2)
    out = 0.5 * (np.log1p(excess) ** 2 + out)
    slots = np.searchsorted(first.species, atoms.numbers)
    ratio = np.ones(len(atoms))
    np.maximum.at(ratio, i, potential.reach[0].least_ss[slots[i], slots[j]] / r)
    return out + (ratio**4 - 1.0) ** 2


def test_cheap_sigma_is_the_calibrated_one(potential):
    atoms = random_structure(np.random.default_rng(7), SYMBOLS, 5)
    calc = potential.calculator(uncertainty=True)
    calc.calculate(atoms)
    rows = structure_rows(potential.terms, atoms, local=True, forces=False).local
    explained, posterior = potential.posterior.explained_and_posterior(rows)
    prior = sum(t.delta[0] ** 2 for t in potential.terms)
    distances = prior - explained
    few = potential.posterior.coarse(0.0, FIRST)
    first = prior - few.explained_and_posterior(rows[:, few.columns])[0]
    values = {"first": first, "distances": distances, "variances": distances + posterior}
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


# -- what users run ----------------------------------------------------------------------------


def test_relaxation_of_positions_and_cell(silicon):
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=0)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.02 * np.arange(9).reshape(3, 3) / 9), True)
    atoms.calc = silicon.calculator()
    assert BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-3, steps=100)
    assert np.abs(atoms.get_forces()).max() < 1e-3
    assert np.abs(atoms.get_stress()).max() * atoms.get_volume() < 1e-2
    assert atoms.get_volume() / 8 == pytest.approx(20.02, rel=0.01)  # 5.431 A cubed
    assert atoms.get_potential_energy() / 8 == pytest.approx(-4.3366, abs=0.005)


def test_equation_of_state_agrees_with_the_stress(silicon):
    volumes, energies, pressures = [], [], []
    for a in np.linspace(5.33, 5.53, 9):
        atoms = bulk("Si", a=a)
        atoms.calc = silicon.calculator()
        volumes.append(atoms.get_volume())
        energies.append(atoms.get_potential_energy())
        pressures.append(-atoms.get_stress()[:3].mean())
    v0, _, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
    assert v0 == pytest.approx(2 * 20.02, rel=0.01)
    assert modulus / units.GPa == pytest.approx(101, rel=0.15)
    slope = np.polyfit(volumes, pressures, 3)
    assert np.polyval(slope, v0) == pytest.approx(0.0, abs=1e-3 * modulus)
    assert -v0 * np.polyval(np.polyder(slope), v0) == pytest.approx(modulus, rel=0.02)


def test_phonons(silicon, tmp_path):
    phonons = Phonons(
        bulk("Si", a=5.431), silicon.calculator(), supercell=(3, 3, 3), delta=0.01,
        name=str(tmp_path / "ph"),
    )  # fmt: skip
    phonons.run()
    phonons.read(acoustic=True)
    gamma, x, also_x = phonons.band_structure(
        [[0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5]], verbose=False
    )
    assert np.abs(gamma[:3]).max() < 1e-3  # eV
    np.testing.assert_allclose(gamma[3:], gamma[3], rtol=1e-3)
    assert gamma[3] == pytest.approx(0.0745, rel=0.06)  # 18.0 THz
    assert x.min() > 0.015, "a stable crystal has no soft mode"
    np.testing.assert_allclose(x, also_x, rtol=1e-3)


def test_stillinger_weber_labels_are_consistent():
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=3)
    stillinger_weber(atoms)

    def energy(a):
        return stillinger_weber(a.copy()).info["REF_energy"]

    assert atoms.arrays["REF_forces"][2, 1] == pytest.approx(
        -along_atom(energy, atoms, 2, 1), abs=1e-6
    )
    stress = along_strain(energy, atoms, 4) / atoms.get_volume()
    assert atoms.info["REF_stress"][4] == pytest.approx(stress, abs=1e-8)


def test_energy_is_conserved_in_molecular_dynamics(silicon):
    """216 silicon atoms at 300 K, 1 fs: drift below 0.02 meV per atom and picosecond."""
    atoms = bulk("Si", cubic=True).repeat(3)
    assert len(atoms) == 216
    atoms.calc = silicon.calculator()
    # Half of the kinetic energy goes into the springs: start at twice the temperature.
    sigma = np.sqrt(units.kB * 600 * atoms.get_masses())[:, None]
    momenta = sigma * np.random.default_rng(1).normal(size=(216, 3))
    atoms.set_momenta(momenta - momenta.mean(axis=0))
    dynamics = VelocityVerlet(atoms, 1.0 * units.fs)
    dynamics.run(300)
    times, totals, temperatures = [], [], []
    for step in range(1500):
        dynamics.run(1)
        times.append(step * 1e-3)
        totals.append(atoms.get_total_energy() / len(atoms))
        temperatures.append(atoms.get_temperature())
    assert 250 < np.mean(temperatures) < 350
    drift = np.polyfit(times, totals, 1)[0] * 1000.0  # meV / atom / ps
    assert abs(drift) < 0.02
    assert np.std(totals) < 5e-5  # eV / atom: the integrator's ripple


def test_smooth_and_rough_descriptors_in_one_place():
    """The reason for the warning: without a weighting the energy jumps at the cutoff."""
    rng = np.random.default_rng(12)
    frames = [morse_labels(random_structure(rng, ("Si",), 5)) for _ in range(5)]
    rough = SOAP(species=["Si"], r_cut=3.0, n_max=3, l_max=3, sigma=0.4, periodic=True)
    with pytest.warns(UserWarning, match="energy jumps"):
        rough = make(rough, frames)
    smooth = make(smooth_soap(["Si"], r_cut=3.0, n_max=3, l_max=3, sigma=0.4), frames)
    jumps = []
    for potential in (rough, smooth):
        e = [
            potential.evaluate(Atoms("Si3", [[0, 0, 0], [2.2, 0, 0], [0, 0, r]])).energy
            for r in potential.cutoff + np.array([-1e-7, 1e-7])
        ]
        jumps.append(abs(e[1] - e[0]))
    assert jumps[0] > 1e-6 > 1e-11 > jumps[1]


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
