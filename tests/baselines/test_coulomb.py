"""Fixed charges as a baseline: models, molecular dynamics, files, settings, refusals."""

import json
import pickle

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.md.verlet import VelocityVerlet
from ase.units import fs
from baseline_helpers import plus
from ewald_reference import K, energy
from helpers import along_atom, along_strain, labelled_frames

import gapy
from gapy._support.voigt import stress_of
from gapy.baselines import ZBL, Coulomb, System, baseline_of, from_settings
from gapy.descriptors import smooth_soap
from gapy.engines.lammps.domain import fit_for_domains
from gapy.errors import GapyError, SpeciesError, StructureError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.settings import ModelSettings
from gapy.geometry.pairs import pairs_within

SALT = Coulomb({"Na": 1.0, "Cl": -1.0})
ALLOY = Coulomb({"Cu": 0.3, "Al": -0.3}, sigma={"Cu": 0.8, "Al": 1.1}, background=True)
FRAMES = labelled_frames(9, seed=1)
NEW = labelled_frames(3, seed=5)[2]


def crystal(seed=0):
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.rattle(0.15, seed=seed)
    return atoms


def test_ions_of_a_crystal():
    atoms = crystal()
    charge = np.where(atoms.numbers == 11, 1.0, -1.0)
    found = baseline_of(atoms, [SALT])
    assert found.energy == pytest.approx(energy(charge, np.ones(8), atoms), abs=1e-7)
    assert not found.energies.any()


def test_short_distances_stay_finite():
    """The deepest energy of two ions is K q^2 / (s sqrt(pi)), with a force of zero."""
    atoms = Atoms("NaCl", [[0, 0, 0], [0, 0, 1e-3]])
    found = baseline_of(atoms, [SALT])
    assert found.energy == pytest.approx(-K / np.sqrt(np.pi), rel=1e-6)
    assert np.abs(found.forces).max() < 0.01
    far = Atoms("NaCl", [[0, 0, 0], [0, 0, 30.0]])
    assert baseline_of(far, [SALT]).energy == pytest.approx(-K / 30.0, rel=1e-12)


def test_an_atom_alone_is_neutral():
    for atoms in (Atoms("Na"), Atoms("Na", cell=[9, 9, 9], pbc=True)):
        found = baseline_of(atoms, [SALT])
        assert found.energy == 0.0 and not found.forces.any() and not found.virial.any()
    lattice = Atoms("Na", cell=[9, 9, 9], pbc=True)
    found = baseline_of(lattice, [Coulomb({"Na": 1.0}, sigma=0.1, background=True)])
    assert found.energy == pytest.approx(-0.5 * 2.837297 * K / 9.0 + jellium(0.1, 9.0), rel=1e-6)


def jellium(sigma, length):
    """What the width of a charge changes in a background: 2 pi K q^2 s^2 / V."""
    return 2.0 * np.pi * K * sigma**2 / length**3


def test_charged_cells_need_a_background():
    atoms = crystal()
    del atoms[0]
    with pytest.raises(StructureError, match=r"neutral structure, .* got Cl4Na3 of charge -1 e"):
        baseline_of(atoms, [SALT])
    filled = Coulomb({"Na": 1.0, "Cl": -1.0}, background=True)
    charge = np.where(atoms.numbers == 11, 1.0, -1.0)
    expected = energy(charge, np.ones(7), atoms)
    assert baseline_of(atoms, [filled]).energy == pytest.approx(expected, abs=1e-7)
    atoms.pbc = False
    charged_molecule = energy(charge, np.ones(7), atoms)
    assert baseline_of(atoms, [SALT]).energy == pytest.approx(charged_molecule, abs=1e-7)


@pytest.fixture(scope="module")
def gp():
    """Labels of EMT and the charges: what is left is EMT."""
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    gp = gapy.SparseGPRegressor(soap, n_inducing=20, baselines=["zbl", ALLOY])
    return gp.fit(plus(FRAMES, [ALLOY]))


def test_what_labels_lose_predictions_get_back(gp):
    bare = gapy.SparseGPRegressor(gp.descriptor, n_inducing=20).fit(FRAMES)
    for atoms in (NEW, FRAMES[0]):
        out, rest = gp.potential_.evaluate(atoms), bare.potential_.evaluate(atoms)
        base = baseline_of(atoms, [ALLOY])
        assert abs(base.energy) > 0.1
        assert out.energy == pytest.approx(rest.energy + base.energy, abs=1e-6)
        np.testing.assert_allclose(out.forces, rest.forces + base.forces, atol=1e-6)
        np.testing.assert_allclose(out.virial, rest.virial + base.virial, atol=1e-5)


def test_forces_and_stress_of_a_model_are_derivatives(gp):
    potential, out = gp.potential_, gp.potential_.evaluate(NEW)
    for j, c in ((0, 0), (1, 2)):
        slope = along_atom(lambda a: potential.evaluate(a).energy, NEW, j, c)
        assert out.forces[j, c] == pytest.approx(-slope, abs=1e-6)
    for v in (0, 4):
        slope = along_strain(lambda a: potential.evaluate(a).energy, NEW, v)
        assert stress_of(out.virial, NEW)[v] * NEW.get_volume() == pytest.approx(slope, abs=1e-5)


def test_many_at_once_and_arrays(gp):
    potential = gp.potential_
    for one, atoms in zip(potential.evaluate_many([NEW, FRAMES[0]]), (NEW, FRAMES[0])):
        assert one.energy == pytest.approx(potential.evaluate(atoms).energy, abs=1e-9)
    with pytest.raises(GapyError, match="baseline coulomb: expected a whole structure"):
        potential.evaluate_arrays(NEW.numbers, pairs_within(NEW, potential.pairs_cutoff))
    with pytest.raises(GapyError, match=r"m\.gapy: expected baselines that are sums over pairs"):
        fit_for_domains(potential, "m.gapy")
    with pytest.raises(GapyError, match="baseline coulomb: expected a whole structure"):
        SALT.evaluate(System(np.array([11, 17])))


def test_energy_is_conserved(gp):
    atoms = NEW.repeat((2, 2, 1))
    speeds = np.random.default_rng(0).normal(scale=0.16, size=(len(atoms), 3))
    atoms.set_momenta(np.sqrt(atoms.get_masses())[:, None] * (speeds - speeds.mean(axis=0)))
    atoms.calc = gp.potential_.calculator()
    energies = []
    dynamics = VelocityVerlet(atoms, timestep=1.0 * fs)
    dynamics.attach(lambda: energies.append(atoms.get_total_energy()))
    dynamics.run(200)
    assert np.ptp(energies) / len(atoms) < 2e-4
    assert abs(np.mean(energies[-50:]) - np.mean(energies[:50])) / len(atoms) < 3e-5


def test_files_keep_it(gp, tmp_path):
    gp.potential_.save(tmp_path / "m.gapy")
    save_state(gp, tmp_path / "s.gapy")
    for copy in (gapy.load(tmp_path / "m.gapy"), load_state(tmp_path / "s.gapy").potential_):
        assert copy.baselines == gp.potential_.baselines and ALLOY in copy.baselines
        assert copy.evaluate(NEW).energy == gp.potential_.evaluate(NEW).energy
    assert pickle.loads(pickle.dumps(ALLOY)) == ALLOY and hash(ALLOY) == hash(
        from_settings("coulomb", json.loads(json.dumps(ALLOY.settings())))
    )


def test_a_table_of_the_settings_states_it():
    settings = ModelSettings(baseline={"coulomb": {"charges": {"Na": 1, "Cl": -1}}})
    assert settings.baselines() == ("zbl", SALT)


@pytest.mark.parametrize(
    ("atoms", "error", "message"),
    [
        (
            fcc111("Cu", (1, 1, 2), vacuum=5.0),
            StructureError,
            r"three .*got pbc=\[True, True, False",
        ),
        (Atoms("Cu2", [[0, 0, 0], [2, 0, 0]], pbc=True), StructureError, "cell of full rank"),
        (bulk("NaCl", "rocksalt", a=5.6), SpeciesError, "expected atoms of Al, Cu, got Na, Cl"),
    ],
)
def test_structures_that_it_cannot_sum(atoms, error, message):
    with pytest.raises(error, match=message):
        baseline_of(atoms, [ALLOY])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"charges": {}}, r"charges: expected a number for each species, got \{\}"),
        ({"charges": 1.0}, r"charges: expected a number for each species, got 1\.0"),
        ({"charges": {"Na": "one"}}, r"charges of Na: expected a charge between .* got 'one'"),
        ({"charges": {"Na": np.nan}}, r"charges of Na: expected a charge between .* got nan"),
        ({"charges": {"Xy": 1.0}}, r"charges: expected a chemical element, got 'Xy'"),
        ({"charges": {"Na": 1.0, 11: 1.0}}, r"charges: expected Na once"),
        (
            {"charges": {"Na": 1.0}, "sigma": 0.0},
            r"sigma: expected a width above .* got 0\.0",
        ),
        (
            {"charges": {"Na": 1.0, "Cl": -1.0}, "sigma": {"Na": 1.0}},
            r"sigma: expected a value for each of Na, Cl, got Na",
        ),
        ({"charges": {"Na": 1.0}, "background": 1}, r"background: expected true or false, got 1"),
    ],
)
def test_settings_out_of_range_are_refused(given, message):
    with pytest.raises(GapyError, match=f"baseline coulomb, {message}"):
        from_settings("coulomb", given)


def test_an_error_names_the_structure():
    frames = [a.copy() for a in FRAMES]
    strict = Coulomb({"Cu": 0.3, "Al": -0.3})
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    with pytest.raises(
        StructureError, match=r"frames frame 0: baseline coulomb: .*got Cu4 of charge 1\.2"
    ):
        gapy.SparseGPRegressor(soap, n_inducing=5, baselines=[ZBL(), strict]).fit(frames)
