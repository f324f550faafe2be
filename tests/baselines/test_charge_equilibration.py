"""Charge equilibration: the minimum, derivatives, total charge, models, files, refusals."""

import json
import pickle

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.md.verlet import VelocityVerlet
from ase.units import fs
from baseline_helpers import plus
from ewald_reference import K, energy
from helpers import along_atom, along_strain, labelled_frames

import gapy
from gapy._support.voigt import voigt
from gapy.baselines import ChargeEquilibration, Coulomb, baseline_of, from_settings
from gapy.baselines.charge_equilibration import RAPPE_GODDARD
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError, SpeciesError, StructureError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.settings import ModelSettings

QEQ = ChargeEquilibration()
FILLED = ChargeEquilibration(background=True)
ALLOY = ChargeEquilibration({"Cu": 4.5, "Al": 4.1}, {"Cu": 13.0, "Al": 11.0}, background=True)
FRAMES = labelled_frames(9, seed=1)
NEW = labelled_frames(3, seed=5)[2]


def with_charge(atoms, charge):
    atoms = atoms.copy()
    atoms.info["charge"] = charge
    return atoms


def rattled(atoms, seed=0):
    atoms = atoms.copy()
    atoms.rattle(0.1, seed=seed)
    return atoms


def salt():
    return rattled(bulk("NaCl", "rocksalt", a=5.64, cubic=True))


CASES = pytest.mark.parametrize(
    "atoms",
    [
        rattled(molecule("CH3CH2OH")),
        with_charge(rattled(molecule("CH3CH2OH")), -1),
        salt(),
        with_charge(salt(), 1.0),
    ],
    ids=["molecule", "anion", "crystal", "charged crystal"],
)


def functional(charge, atoms, qeq):
    """The energy of any charges, by the plain sum."""
    chi, eta, sigma = (
        np.array([getattr(qeq, name)[z] for z in atoms.numbers])
        for name in ("electronegativity", "hardness", "sigma")
    )
    return chi @ charge + 0.5 * eta @ charge**2 + energy(charge, sigma, atoms, images=4, waves=10)


@CASES
def test_charges_are_the_minimum_at_the_total_charge(atoms):
    found, charge = baseline_of(atoms, [FILLED]), FILLED.charges(atoms)
    assert charge.sum() == pytest.approx(atoms.info.get("charge", 0.0), abs=1e-10)
    assert np.ptp(charge) > 0.2
    small = atoms[:3] if not atoms.pbc.any() else atoms
    if len(small) == 3:
        small.info = dict(atoms.info)
        found, charge = baseline_of(small, [FILLED]), FILLED.charges(small)
    least = functional(charge, small, FILLED)
    assert found.energy == pytest.approx(least, abs=1e-6)
    rng = np.random.default_rng(0)
    for _ in range(3):
        step = rng.normal(size=len(small))
        step = 1e-2 * (step - step.mean())
        up, down = (functional(charge + s * step, small, FILLED) for s in (1, -1))
        assert up > least and up - down == pytest.approx(0.0, abs=1e-6)


@CASES
def test_forces_and_virial_are_derivatives(atoms):
    found = baseline_of(atoms, [FILLED])

    def of(a):
        return baseline_of(a, [FILLED]).energy

    for j, c in ((0, 0), (1, 2)):
        assert found.forces[j, c] == pytest.approx(-along_atom(of, atoms, j, c), abs=1e-6)
    for v, virial in enumerate(voigt(found.virial)):
        assert virial == pytest.approx(along_strain(of, atoms, v), abs=1e-6)


def test_signs_and_sizes_of_known_charges():
    water = QEQ.charges(molecule("H2O"))
    assert water[0] < -0.3 and water[1] == pytest.approx(water[2]) and water.sum() < 1e-12


@pytest.mark.parametrize(
    ("pair", "bond", "published"), [("NaCl", 2.361, 0.766), ("KCl", 2.667, 0.775)]
)
def test_alkali_halides_have_the_charges_of_the_paper(pair, bond, published):
    """Rappe and Goddard (1991), Table II: Slater functions in the place of these Gaussians."""
    charge = QEQ.charges(Atoms(pair, [[0, 0, 0], [0, 0, bond]]))
    assert charge[0] == pytest.approx(-charge[1])
    assert charge[0] == pytest.approx(published, abs=0.02)


def test_a_free_atom_has_its_own_energy():
    chi, eta, _ = RAPPE_GODDARD["Na"]
    assert baseline_of(Atoms("Na"), [QEQ]).energy == 0.0
    assert baseline_of(with_charge(Atoms("Na"), 1), [QEQ]).energy == pytest.approx(chi + 0.5 * eta)


def test_two_atoms_far_apart_share_charge():
    """(chi_Cl - chi_Na) / (eta_Na + eta_Cl) is what flows at any distance."""
    apart = Atoms("NaCl", [[0, 0, 0], [0, 0, 1e5]])
    (a, c, _), (b, d, _) = RAPPE_GODDARD["Na"], RAPPE_GODDARD["Cl"]
    assert QEQ.charges(apart)[0] == pytest.approx((b - a) / (c + d), rel=1e-4)


def test_supercells_are_extensive():
    atoms = salt()
    one, many = baseline_of(atoms, [QEQ]), baseline_of(atoms.repeat((2, 2, 1)), [QEQ])
    assert many.energy == pytest.approx(4 * one.energy, abs=1e-7)
    np.testing.assert_allclose(many.forces[:8], one.forces, atol=1e-7)
    np.testing.assert_allclose(many.virial, 4 * one.virial, atol=1e-6)


@pytest.fixture(scope="module")
def gp():
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    frames = [with_charge(a, 0.5 * (k % 2)) for k, a in enumerate(FRAMES)]
    gp = gapy.SparseGPRegressor(soap, n_inducing=20, baselines=["zbl", ALLOY])
    return gp.fit(plus(frames, [ALLOY]))


def test_labels_of_charged_structures_lose_it(gp):
    bare = gapy.SparseGPRegressor(gp.descriptor, n_inducing=20).fit(FRAMES)
    for charge in (0.0, 0.7):
        atoms = with_charge(NEW, charge)
        out, rest = gp.potential_.evaluate(atoms), bare.potential_.evaluate(atoms)
        base = baseline_of(atoms, [ALLOY])
        assert out.energy == pytest.approx(rest.energy + base.energy, abs=1e-6)
        np.testing.assert_allclose(out.forces, rest.forces + base.forces, atol=1e-6)
        (many,) = gp.potential_.evaluate_many([atoms])
        assert many.energy == pytest.approx(out.energy, abs=1e-9)


def test_the_calculator_notices_another_charge(gp):
    atoms = NEW.copy()
    atoms.calc = gp.potential_.calculator()
    neutral = atoms.get_potential_energy()
    atoms.info["charge"] = 1
    charged = atoms.get_potential_energy()
    expected = gp.potential_.evaluate(with_charge(NEW, 1)).energy
    assert charged == pytest.approx(expected, abs=1e-9) and abs(charged - neutral) > 0.1
    assert atoms.calc.check_state(atoms) == []
    atoms.info["charge"] = 0.0
    assert atoms.get_potential_energy() == pytest.approx(neutral, abs=1e-9)


def test_energy_is_conserved(gp):
    atoms = NEW.repeat((2, 1, 1))
    speeds = np.random.default_rng(0).normal(scale=0.16, size=(len(atoms), 3))
    atoms.set_momenta(np.sqrt(atoms.get_masses())[:, None] * (speeds - speeds.mean(axis=0)))
    atoms.calc = gp.potential_.calculator()
    energies = []
    dynamics = VelocityVerlet(atoms, timestep=1.0 * fs)
    dynamics.attach(lambda: energies.append(atoms.get_total_energy()))
    dynamics.run(200)
    assert np.ptp(energies) / len(atoms) < 3e-4
    assert abs(np.mean(energies[-50:]) - np.mean(energies[:50])) / len(atoms) < 5e-5


def test_files_keep_it_with_the_charges(gp, tmp_path):
    gp.potential_.save(tmp_path / "m.gapy")
    save_state(gp, tmp_path / "s.gapy")
    atoms = with_charge(NEW, 0.5)
    assert any(a.info.get("charge") == 0.5 for a, _ in gp.potential_.references)
    assert {s.atoms.info.get("charge", 0.0) for s in gp.training_.sample} == {0.0, 0.5}
    copy, state = gapy.load(tmp_path / "m.gapy"), load_state(tmp_path / "s.gapy")
    for one in (copy, state.potential_):
        assert one.baselines == gp.potential_.baselines and ALLOY in one.baselines
        assert one.evaluate(atoms).energy == gp.potential_.evaluate(atoms).energy
    same = from_settings("qeq", json.loads(json.dumps(ALLOY.settings())))
    assert pickle.loads(pickle.dumps(ALLOY)) == ALLOY == same and hash(ALLOY) == hash(same)


def test_a_table_of_the_settings_states_it():
    assert ModelSettings(baseline={"qeq": {}}).baselines() == ("zbl", QEQ)
    table = {"electronegativity": {"Na": 3.0}, "sigma": {"Na": 2.0}}
    (_, made) = ModelSettings(baseline={"qeq": table}).baselines()
    assert made.electronegativity[11] == 3.0 and made.hardness[11] == RAPPE_GODDARD["Na"][1]
    assert made.sigma[11] == 2.0 and made.sigma[17] == QEQ.sigma[17]
    assert QEQ.sigma[1] == pytest.approx(K / (np.sqrt(np.pi) * RAPPE_GODDARD["H"][1]))
    mean_distance = 2.0 * np.sqrt(2.0 / np.pi) * QEQ.sigma[17]
    assert mean_distance == pytest.approx(RAPPE_GODDARD["Cl"][2] / 0.4913)


@pytest.mark.parametrize(
    ("atoms", "error", "message"),
    [
        (with_charge(salt(), 1), StructureError, r"neutral .* of charge 1 e; correct its charge"),
        (rattled(fcc111("Cu", (1, 1, 2), vacuum=5.0)), SpeciesError, "got Cu"),
        (with_charge(molecule("H2O"), "plus"), StructureError, "charge: expected the total charge"),
        (with_charge(molecule("H2O"), np.nan), StructureError, "charge: expected .* got nan"),
    ],
)
def test_structures_that_it_cannot_solve(atoms, error, message):
    with pytest.raises(error, match=message):
        baseline_of(atoms, [QEQ])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"electronegativity": {"Cu": 4.0}}, r"hardness: expected a value of Cu, .* got none"),
        ({"hardness": {"Cu": 4.0}}, r"electronegativity: expected a value of Cu"),
        ({"hardness": {"Na": 0.0}}, r"hardness of Na: expected a number above 0\.5 .* got 0\.0"),
        ({"hardness": 3.0}, r"hardness: expected a number for each species, got 3\.0"),
        ({"sigma": 1.0}, r"sigma: expected a number for each species, got 1\.0"),
        ({"sigma": {"H": 0.1}}, r"sigma of H: expected at least 0\.5849 A, .* got 0\.1"),
        ({"sigma": {"Cu": 1.0}}, r"sigma: expected species with electronegativity .* got Cu"),
        ({"background": "yes"}, r"background: expected true or false, got 'yes'"),
    ],
)
def test_settings_out_of_range_are_refused(given, message):
    with pytest.raises(GapyError, match=f"baseline qeq, {message}"):
        from_settings("qeq", given)


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (
            [ALLOY, Coulomb({"Cu": 0.0, "Al": 0.0})],
            "electrostatics once, got it from qeq and coulomb",
        ),
        ([ALLOY, ALLOY], "electrostatics once, got it from qeq and qeq"),
        (["zbl", "zbl"], "the repulsion of nuclei once, got it from zbl and zbl"),
    ],
)
def test_nothing_is_subtracted_twice(listed, message):
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    with pytest.raises(GapyError, match=message):
        gapy.SparseGPRegressor(soap, n_inducing=5, baselines=listed).fit(FRAMES)
