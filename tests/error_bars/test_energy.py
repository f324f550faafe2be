"""The calibrated sigma of energies."""

import json

import numpy as np
import pytest
from helpers import labelled_frames

import gapy
from gapy.descriptors import smooth_soap
from gapy.error_bars.energy import FEWEST, EnergyCalibration, calibrate_energies
from gapy.validation.energy_bars import energy_bars


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_it_finds_how_errors_add(power):
    rng = np.random.default_rng(0)
    n_atoms = rng.choice([2, 8, 64, 216], size=400)
    variances = rng.uniform(0.5, 2.0, size=400) * 1e-4
    errors = rng.normal(size=400) * 0.7 * n_atoms**power * np.sqrt(variances)
    found = calibrate_energies(errors, variances, n_atoms)
    assert found.power == power
    assert found.scale == pytest.approx(0.7, rel=0.1)
    sigma = found.sigma(variances, n_atoms)
    assert (np.abs(errors) < 1.645 * sigma).mean() == pytest.approx(0.9, abs=0.01)


def test_one_size_takes_the_coherent_power():
    rng = np.random.default_rng(1)
    errors = rng.normal(size=50)
    assert calibrate_energies(errors, np.full(50, 1e-4), np.full(50, 8)).power == 1.0


def test_nothing_from_too_little():
    few = np.ones(FEWEST - 1)
    assert calibrate_energies(few, few, few) is None
    many = np.ones(FEWEST + 5)
    assert calibrate_energies(0.0 * many, many, many) is None
    assert calibrate_energies(many, 0.0 * many, many) is None


def test_bars_by_size():
    error = np.array([1.0, 0.1, 2.0, 0.5])
    bars = energy_bars(error, np.ones(4), np.array([2, 3, 64, 50]))
    assert (bars.n_judged, bars.coverage_68, bars.coverage_90) == (4, 0.75, 0.75)
    small, large = bars.by_size
    assert (small.n_atoms_least, small.n_atoms_most, small.coverage_90) == (2, 3, 1.0)
    assert (large.n_atoms_least, large.n_atoms_most, large.coverage_90) == (50, 64, 0.5)
    assert energy_bars(error, np.full(4, np.nan), np.ones(4, dtype=int)) is None
    assert energy_bars(error, np.ones(4), np.full(4, 8)).by_size == ()


@pytest.fixture(scope="module")
def potential():
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    gp = gapy.SparseGPRegressor(soap, n_inducing=25, zeta=2, optimize=True)
    return gp.fit(labelled_frames(30, seed=1)).potential_


def test_every_face_gives_the_same(potential, tmp_path):
    frames = labelled_frames(6, seed=2)
    frames.append(frames[0].repeat((2, 1, 1)))
    alone = [potential.evaluate(a, force_std=True).energy_std for a in frames]
    known = potential.calibration.energy
    for atoms, sigma in zip(frames, alone):
        local = potential.evaluate(atoms, force_std="cheap").energies_std
        assert sigma == pytest.approx(float(known.sigma((local**2).mean(), len(atoms))))
    many = [out.energy_std for out in potential.evaluate_many(frames, force_std=True)]
    np.testing.assert_allclose(many, alone, rtol=1e-4)
    frames[0].calc = potential.calculator(uncertainty=True)
    frames[0].get_potential_energy()
    assert frames[0].calc.results["energy_std"] == alone[0]
    assert potential.evaluate(frames[0]).energy_std is None
    # The model's own, by the general way.
    own = potential.calculator(uncertainty="full")
    own.calculate(frames[0])
    assert own.results["energy_std"] == pytest.approx(potential.predict(frames[0])[1].energy)
    potential.save(tmp_path / "p.gapy")
    again = gapy.load(tmp_path / "p.gapy")
    assert again.calibration.energy == known
    assert again.evaluate(frames[1], force_std=True).energy_std == alone[1]


def test_it_covers_errors_of_unseen_structures(potential, cli, tmp_path):
    from ase.io import write

    frames = labelled_frames(60, seed=3)
    report = gapy.evaluate(potential, frames)
    assert report.energy_error_bars.n_judged == 60
    assert 0.75 < report.energy_error_bars.coverage_90 <= 1.0
    write(tmp_path / "t.xyz", frames)
    potential.save(tmp_path / "p.gapy")
    out = cli("evaluate", tmp_path / "p.gapy", tmp_path / "t.xyz", "--json", tmp_path / "o.json")
    assert "energy error bars: " in out.out
    found = json.loads((tmp_path / "o.json").read_text())["energy_error_bars"]
    assert found["coverage_90"] == report.energy_error_bars.coverage_90


def test_too_few_structures_give_none(tmp_path):
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=2, l_max=1)
    potential = gapy.SparseGPRegressor(soap, 8, 2).fit(labelled_frames(8, seed=1)).potential_
    assert potential.calibration.energy is None
    atoms = labelled_frames(1, seed=5)[0]
    atoms.calc = potential.calculator(uncertainty=True)
    atoms.get_potential_energy()
    assert "energy_std" not in atoms.calc.results
    assert gapy.evaluate(potential, atoms).energy_error_bars is None
    # What is asked for by name comes by the general way.
    assert atoms.calc.get_property("energy_std", atoms) > 0.0
    assert EnergyCalibration(2.0, 0.5).sigma(1e-4, 4) == pytest.approx(0.04)
