"""Atoms whose force is zero by symmetry are left out wherever error bars are judged."""

import json

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write
from scipy.stats import spearmanr

from gapy.error_bars import calibration
from gapy.errors import GapyError
from gapy.geometry.symmetry import vanishes
from gapy.validation import plots
from gapy.validation.evaluation import evaluate
from gapy.validation.reliability import COVERAGE
from gapy.validation.reliability_plot import reliability

N_PERFECT = 24


@pytest.fixture(scope="module")
def mixed(test_frames):
    """The test structures, and perfect crystals of 4 atoms each, as many as half of the others."""
    perfect = []
    for a in np.linspace(3.5, 3.8, N_PERFECT // 4):
        atoms = bulk("Cu", a=a, cubic=True)
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.info["config_type"] = "perfect"
        atoms.calc = None
        perfect.append(atoms)
    return [*test_frames, *perfect]


@pytest.fixture(scope="module")
def report(potential, mixed):
    return evaluate(potential, mixed)


def test_both_label_and_prediction_vanish():
    nothing, rounding, some = np.zeros(3), np.array([0.0, -5e-5, 0.0]), np.array([0.0, 0.0, 0.2])
    labels = np.array([nothing, rounding, rounding, some])
    predicted = np.array([nothing, rounding, some, nothing])
    # A relaxed structure and a broken symmetry are none of it: there the error is real.
    assert vanishes(labels, predicted).tolist() == [True, True, False, False]
    assert vanishes(np.empty((0, 3)), np.empty((0, 3))).tolist() == []


def leaves(value, name=""):
    """(name, number) of all that nested dictionaries and lists hold."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inner:
        if isinstance(part, dict | list | tuple):
            yield from leaves(part, f"{name}{key}.")
        else:
            yield f"{name}{key}", part


def test_all_figures_are_those_without_the_perfect_crystals(report, potential, test_frames):
    given = report.error_bars.error_threshold
    alone = evaluate(potential, test_frames, error_threshold=given).error_bars
    bars = report.error_bars
    assert (bars.n_judged, bars.n_symmetric) == (36, N_PERFECT)
    assert (alone.n_judged, alone.n_symmetric) == (36, 0)
    found, expected = (list(leaves(b.to_dict())) for b in (bars, alone))
    found.remove(("n_symmetric", N_PERFECT))
    expected.remove(("n_symmetric", 0))
    # Other structures in a batch round otherwise.
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert [v for _, v in found] == pytest.approx([v for _, v in expected], rel=1e-6)
    # The errors themselves are of all atoms.
    assert report.total.n_atoms == 36 + N_PERFECT
    perfect = report.error_bars_by_config_type["perfect"]
    assert (perfect.n_judged, perfect.n_symmetric, perfect.coverage_68) == (0, N_PERFECT, None)


def test_text_json_and_pictures_speak_of_the_same_atoms(report, mixed, model_file, cli, tmp_path):
    test = tmp_path / "mixed.xyz"
    write(test, mixed, format="extxyz")
    result = cli("evaluate", model_file, test, "--json", tmp_path / "out.json")
    values = json.loads((tmp_path / "out.json").read_text())
    errors, sigma = report.samples.judged()
    inside = {p: (np.abs(errors) <= w * sigma[:, None]).mean() for p, w in COVERAGE.items()}
    rank = spearmanr(sigma, np.linalg.norm(errors, axis=1)).statistic

    assert values["n_symmetric"] == N_PERFECT
    for percent, share in inside.items():
        assert values[f"coverage_{percent}"] == pytest.approx(share)
    assert values["forces_std_spearman"] == pytest.approx(rank, abs=1e-6)

    assert f"{N_PERFECT} of 60 atoms are left out" in result.out
    assert f"rank correlation with the force error {rank:.2f};" in result.out
    assert f"{100 * inside[68]:.0f} % within 1," in result.out
    assert "perfect" not in result.out.split("error bars of")[1]

    cloud = plots.sigma_against_error(report)
    drawn = cloud.collections[0].get_offsets()
    assert len(drawn) == 36
    drawn_rank = spearmanr(drawn[:, 0], drawn[:, 1]).statistic
    assert drawn_rank == pytest.approx(rank, abs=1e-6)
    assert f"36 atoms, rank correlation {drawn_rank:.2f}" in cloud.get_title()
    left, right = reliability(report)
    assert "36 atoms" in left.get_title()
    (observed,) = (line for line in right.lines if line.get_label() == "all atoms")
    at = np.interp(0.6826895, observed.get_xdata(), observed.get_ydata())
    assert at == pytest.approx(inside[68], abs=0.02)
    for title in (cloud.get_title(), left.get_title()):
        assert f"{N_PERFECT} left out" in title


def test_nothing_but_perfect_crystals(potential, mixed, model_file, cli, tmp_path):
    report = evaluate(potential, mixed[-2:])
    assert report.error_bars.n_symmetric == 8 and report.forces_std_spearman is None
    for picture in (plots.sigma_against_error, reliability):
        with pytest.raises(GapyError, match="all forces are zero by symmetry; add structures"):
            picture(report)
    # The command writes the picture that can be drawn, and says why there are no others.
    write(tmp_path / "perfect.xyz", mixed[-2:], format="extxyz")
    folder = tmp_path / "plots"
    result = cli("evaluate", model_file, tmp_path / "perfect.xyz", "--plots", folder)
    assert result.code == 0
    assert "all forces are zero by symmetry, so the error bars cannot be judged" in result.out
    assert [p.name for p in folder.iterdir()] == ["parity.png"]


def test_calibration_does_not_know_them():
    """The same sigma, however many atoms without a force stand beside those that are judged."""
    rng = np.random.default_rng(0)
    values = 10.0 ** rng.uniform(-7, -4, (3, 600))
    errors = 0.1 * rng.standard_t(4, size=(600, 3))
    told = np.arange(600) < 400
    errors[~told] = 0.0

    def calibrated(take):
        n = take.sum()
        given = calibration.Indicators(*values[:, take], np.ones(n), np.zeros(n))
        return calibration.calibrate_forces(errors[take], given, told[take], np.arange(n), 1.0)

    assert calibrated(np.ones(600, dtype=bool)) == calibrated(told)
