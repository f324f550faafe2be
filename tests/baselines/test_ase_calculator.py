"""A calculator as a baseline: what a model makes of it, files and trust, refusals."""

import json
import pickle
import sys

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from helpers import along_atom, along_strain, labelled_frames
from odd_calculators import Counted

import gapy
from gapy._support.voigt import stress_of
from gapy.baselines import ASECalculator, System, baseline_of, from_settings
from gapy.descriptors import smooth_soap
from gapy.engines.lammps.domain import open_model
from gapy.errors import GapyError, ModelFileError, StructureError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.settings import ModelSettings
from gapy.fit.training import merge
from gapy.fit.training_file import load_training, save_training
from gapy.structures import StructureWarning

PATH = "ase.calculators.emt.EMT"
BASE = ASECalculator(PATH)
SOAP = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)


def changed(frames):
    """Labels of EMT and an attraction of springs between all atoms of a cell."""
    out = []
    for atoms in frames:
        atoms = atoms.copy()
        apart = atoms.positions - atoms.positions.mean(axis=0)
        atoms.info["REF_energy"] += 0.02 * float((apart**2).sum())
        atoms.arrays["REF_forces"] = atoms.arrays["REF_forces"] - 0.04 * apart
        del atoms.info["REF_stress"]  # springs know no images
        out.append(atoms)
    return out


FRAMES, NEW = changed(labelled_frames(12, seed=1)), changed(labelled_frames(3, seed=5))


def regressor(baselines, **options):
    return gapy.SparseGPRegressor(SOAP, n_inducing=20, baselines=baselines, **options)


@pytest.fixture(scope="module")
def gp():
    return regressor(["zbl", BASE]).fit(FRAMES)


@pytest.fixture
def saved(gp, tmp_path):
    gp.potential_.save(tmp_path / "m.gapy")
    return tmp_path / "m.gapy"


def test_it_is_what_the_calculator_says():
    for atoms in (NEW[2], molecule("CH3OH")):
        found = baseline_of(atoms, [BASE])
        atoms = atoms.copy()
        atoms.calc = EMT()
        assert found.shared == found.energy == atoms.get_potential_energy()
        np.testing.assert_array_equal(found.forces, atoms.get_forces())
        if atoms.pbc.any():
            np.testing.assert_allclose(
                stress_of(found.virial, atoms), atoms.get_stress(), rtol=1e-9
            )
        else:
            assert not found.virial.any()


def test_a_fit_learns_what_it_gets_wrong():
    """Labels that are the calculator's own leave nothing."""
    own = regressor([BASE], e0="zero").fit(labelled_frames(9, seed=1)).potential_
    assert np.abs(own.posterior.w).max() < 1e-6

    def error(potential):
        frames = labelled_frames(6, seed=8)
        return np.sqrt(np.mean([
            (potential.evaluate(a).forces - a.arrays["REF_forces"]) ** 2 for a in changed(frames)
        ]))  # fmt: skip

    assert error(regressor([BASE]).fit(FRAMES).potential_) < 0.5 * error(
        regressor([]).fit(FRAMES).potential_
    )


def test_forces_and_stress_of_the_model_are_derivatives(gp):
    potential, atoms = gp.potential_, NEW[2]
    out = potential.evaluate(atoms)
    for j, c in ((0, 0), (1, 2)):
        slope = along_atom(lambda a: potential.evaluate(a).energy, atoms, j, c)
        assert out.forces[j, c] == pytest.approx(-slope, abs=1e-6)
    for v in (0, 4):
        slope = along_strain(lambda a: potential.evaluate(a).energy, atoms, v)
        stress = stress_of(out.virial, atoms)
        assert stress[v] == pytest.approx(slope / atoms.get_volume(), abs=1e-6)


def test_every_way_to_evaluate_agrees(gp):
    potential = gp.potential_
    one = [potential.evaluate(a, force_std=True) for a in NEW]
    many = potential.evaluate_many(NEW, True)
    committee = potential.sample(2, seed=1)
    fitted = gp.predict(NEW)
    for k, atoms in enumerate(NEW):
        copy = atoms.copy()
        copy.calc = potential.calculator(uncertainty=True)
        assert copy.get_potential_energy() == pytest.approx(one[k].energy, abs=1e-9)
        np.testing.assert_allclose(copy.get_forces(), one[k].forces, atol=1e-9)
        np.testing.assert_allclose(many[k].forces, one[k].forces, atol=1e-9)
        np.testing.assert_allclose(many[k].forces_std, one[k].forces_std, rtol=1e-3)
        assert many[k].energy == pytest.approx(one[k].energy, abs=1e-9)
        assert fitted.energy[k] == pytest.approx(one[k].energy, abs=1e-8)
        sampled = committee.evaluate(atoms)
        assert sampled.energy == pytest.approx(one[k].energy, abs=1e-8)
        np.testing.assert_allclose(sampled.forces, one[k].forces, atol=1e-8)


def test_a_structure_is_calculated_once():
    base = ASECalculator("odd_calculators.Counted")
    Counted.calls = 0
    regressor([base], optimize=True).fit(changed(labelled_frames(6, seed=31)))
    assert Counted.calls == 6


def test_a_file_is_loaded_with_trust_only(saved, gp, monkeypatch):
    words = r"m\.gapy: .* would import ase\.calculators\.emt\.EMT; .* trust=True or --trust"
    with pytest.raises(ModelFileError, match=words):
        gapy.load(saved)
    with pytest.raises(ModelFileError, match=words):
        gapy.GAPCalculator(saved)
    potential = gapy.load(saved, trust=True)
    assert potential.baselines == gp.potential_.baselines
    assert potential.evaluate(NEW[0]).energy == gp.potential_.evaluate(NEW[0]).energy
    assert gapy.GAPCalculator(saved, trust=True).potential.sha256 == gp.potential_.sha256


def test_lammps_says_that_it_has_no_whole_structures(saved):
    with pytest.raises(GapyError, match=r"m\.gapy: expected baselines that are sums over pairs"):
        open_model(str(saved))


def test_nothing_is_imported_without_trust(tmp_path, monkeypatch):
    (tmp_path / "harmless.py").write_text("from ase.calculators.emt import EMT\n")
    monkeypatch.syspath_prepend(tmp_path)
    base = ASECalculator("harmless.EMT")
    gp = regressor([base]).fit(FRAMES[:3])
    gp.potential_.save(tmp_path / "m.gapy")
    save_state(gp, tmp_path / "s.gapy")
    save_training(gp.training_, tmp_path / "t.state")
    del sys.modules["harmless"]
    for load, name in ((gapy.load, "m.gapy"), (load_state, "s.gapy"), (load_training, "t.state")):
        with pytest.raises(ModelFileError, match=r"would import harmless\.EMT"):
            load(tmp_path / name)
    assert "harmless" not in sys.modules


def test_pickles_states_and_merges_go_on(gp, tmp_path):
    copy = pickle.loads(pickle.dumps(gp.potential_))
    assert copy.evaluate(NEW[0]).energy == gp.potential_.evaluate(NEW[0]).energy
    save_state(gp, tmp_path / "s.gapy")
    resumed = load_state(tmp_path / "s.gapy", trust=True)
    other = pickle.loads(pickle.dumps(gp))
    a, b = (g.partial_fit(NEW).potential_ for g in (resumed, other))
    assert a.sha256 == b.sha256 and a.baselines[1] == BASE
    save_training(gp.training_, tmp_path / "t.state")
    state = load_training(tmp_path / "t.state", trust=True)
    assert merge(state, gp.training_).baselines == gp.training_.baselines
    elsewhere = regressor([], e0="zero").fit(FRAMES).training_
    with pytest.raises(GapyError, match="different baselines"):
        merge(gp.training_, elsewhere)


def test_another_model_is_a_calculator(gp, tmp_path):
    low = regressor([]).fit(FRAMES[:6]).potential_
    low.save(tmp_path / "low.gapy")
    base = ASECalculator("gapy.GAPCalculator", {"potential": str(tmp_path / "low.gapy")})
    high = regressor([base]).fit(FRAMES).potential_
    high.save(tmp_path / "high.gapy")
    loaded = gapy.load(tmp_path / "high.gapy", trust=True)
    assert loaded.evaluate(NEW[0]).energy == high.evaluate(NEW[0]).energy
    found = baseline_of(NEW[0], [base])
    assert found.energy == pytest.approx(low.evaluate(NEW[0]).energy, abs=1e-9)
    np.testing.assert_allclose(found.virial, low.evaluate(NEW[0]).virial, atol=1e-9)


def test_a_model_that_needs_trust_says_so_as_a_calculator(saved):
    with pytest.raises(GapyError, match=r"would import ase\.calculators\.emt\.EMT"):
        ASECalculator("gapy.GAPCalculator", {"potential": str(saved)})
    inner = ASECalculator("gapy.GAPCalculator", {"potential": str(saved), "trust": True})
    assert np.isfinite(baseline_of(NEW[0], [inner]).energy)


def test_a_table_of_the_settings_states_it():
    table = {"path": PATH, "arguments": {"asap_cutoff": True}}
    (_, made) = ModelSettings(baseline={"calculator": table}).baselines()
    assert made == ASECalculator(PATH, {"asap_cutoff": True}) != BASE
    assert from_settings("calculator", json.loads(json.dumps(made.settings()))) == made
    assert hash(made) == hash(pickle.loads(pickle.dumps(made)))


@pytest.mark.parametrize(
    ("path", "arguments", "message"),
    [
        ("ase.calculators.emt.ETM", {}, "has no 'ETM'; correct the import path"),
        ("no_such_package.EMT", {}, "cannot import 'no_such_package.EMT'"),
        ("EMT", {}, "expected an import path"),
        (3, {}, "path: expected the import path of a calculator, got 3"),
        ("odd_calculators.Odd", {"cutoff_of": 3}, "Odd refuses its arguments: TypeError"),
        (PATH, [1], r"arguments: expected names and values, got \[1\]"),
        (PATH, {"asap_cutoff": EMT}, "arguments: expected plain data that a model file can hold"),
        ("odd_calculators.NoCalculator", {}, "expected what makes an ASE calculator, got 'odd_ca"),
    ],
)
def test_what_makes_no_calculator_is_refused(path, arguments, message):
    with pytest.raises(GapyError, match=f"baseline calculator.*{message}"):
        ASECalculator(path, arguments)


@pytest.mark.parametrize(
    ("does", "atoms", "message"),
    [
        ("fail", molecule("H2O"), "RuntimeError: the self-consistent field did not converge"),
        ("nan", molecule("H2O"), "expected finite numbers from odd_calculators.Odd"),
        ("nothing", bulk("Cu"), "expected the stress of a periodic cell from .*PropertyNotImplem"),
    ],
)
def test_a_calculator_that_cannot_evaluate_names_itself(does, atoms, message):
    base = ASECalculator("odd_calculators.Odd", {"does": does})
    with pytest.raises(StructureError, match=f"baseline calculator: .*{message}"):
        baseline_of(atoms, [base])


def test_no_answer_depends_on_the_one_before():
    base = ASECalculator("odd_calculators.Odd")
    assert [baseline_of(molecule(m), [base]).energy for m in ("CO", "O2", "N2")] == [0.1] * 3


def test_a_calculator_that_fails_names_the_structure():
    base = ASECalculator("odd_calculators.Odd", {"does": "fail"})
    frames = [molecule(name) for name in ("CO", "CO", "CO2", "CO")]
    for k, atoms in enumerate(frames):
        atoms.rattle(0.05, seed=k)
        atoms.info["REF_energy"] = -1.0
    soap = smooth_soap(["C", "O"], r_cut=3.0, n_max=2, l_max=1)
    gp = gapy.SparseGPRegressor(soap, n_inducing=3, baselines=[base])
    with pytest.raises(StructureError, match=r"2\b.*baseline calculator: .* did not converge"):
        gp.fit(frames)
    potential = gp.fit(frames[:2]).potential_
    with pytest.raises(StructureError, match=r"structures\[2\]: baseline calculator"):
        potential.evaluate_many(frames)


def test_moments_that_the_calculator_does_not_get_are_named():
    oxygen = molecule("O2", cell=[8, 8, 8])
    oxygen.info["REF_energy"] = -1.0
    plain = oxygen.copy()
    plain.set_initial_magnetic_moments(None)
    soap = smooth_soap(["O"], r_cut=3.0, n_max=2, l_max=1)
    base = ASECalculator("odd_calculators.Odd")
    gp = gapy.SparseGPRegressor(soap, n_inducing=2, baselines=[base])
    gp.fit([plain])  # no warning
    for learn in (gp.fit, gp.partial_fit):
        with pytest.warns(StructureWarning, match="frame 0 has magnetic moments, which odd_cal"):
            learn([oxygen])


def test_what_has_no_whole_structure_is_refused():
    with pytest.raises(GapyError, match="baseline calculator: expected a whole structure"):
        BASE.evaluate(System(np.array([29, 29])))


def test_the_total_charge_reaches_the_calculator():
    base, atoms = ASECalculator("odd_calculators.OfCharge"), molecule("H2O")
    for charge in (0, -1, 2.0):
        atoms.info["charge"] = charge
        assert baseline_of(atoms, [base]).energy == pytest.approx(charge, abs=1e-12)
    assert not atoms.has("initial_charges")
