"""Errors and error bars of `evaluate` against plain formulas."""

import json
import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from gapy.errors import SpeciesError, StructureError
from gapy.validation.evaluation import evaluate

CONTRACT = (
    "n_structures", "n_atoms", "energy_rmse", "energy_mae", "forces_rmse", "forces_mae",
    "stress_rmse", "forces_std_spearman", "seconds",
)  # fmt: skip


@pytest.fixture(scope="module")
def report(potential, test_frames):
    return evaluate(potential, test_frames)


@pytest.fixture(scope="module")
def predictions(potential, test_frames):
    calculator = potential.calculator(uncertainty=True)
    out = []
    for atoms in test_frames:
        calculator.calculate(atoms, ["energy", "forces", "stress"])
        out.append(calculator.results)
    return out


def without(frames, *names):
    copies = [atoms.copy() for atoms in frames]
    for atoms in copies:
        for name in names:
            (atoms.arrays if name == "REF_forces" else atoms.info).pop(name, None)
    return copies


def test_errors_are_those_of_the_calculator(report, predictions, test_frames):
    sizes = np.array([len(a) for a in test_frames])
    energy = np.array([a.info["REF_energy"] for a in test_frames])
    energy_error = (np.array([r["energy"] for r in predictions]) - energy) / sizes
    force = np.concatenate([a.arrays["REF_forces"] for a in test_frames])
    force_error = np.concatenate([r["forces"] for r in predictions]) - force
    stress_error = np.array(
        [r["stress"] - a.info["REF_stress"] for r, a in zip(predictions, test_frames)]
    )
    total = report.total
    assert total.n_structures == len(test_frames) and total.n_atoms == sizes.sum()
    for name, error in (
        ("energy", energy_error), ("forces", force_error), ("stress", stress_error)
    ):  # fmt: skip
        assert getattr(total, f"{name}_rmse") == pytest.approx(np.sqrt((error**2).mean()))
        assert getattr(total, f"{name}_mae") == pytest.approx(np.abs(error).mean())
        assert getattr(total, f"{name}_max") == pytest.approx(np.abs(error).max())
    assert total.forces_spread == pytest.approx(force.std())


def test_energy_spread_is_of_the_energies_less_e0(report, potential, test_frames):
    labels = [
        (a.info["REF_energy"] - sum(potential.e0[z] for z in a.numbers)) / len(a)
        for a in test_frames
    ]
    assert report.total.energy_spread == pytest.approx(np.std(labels))


def test_error_bars(report, predictions, test_frames):
    sigma = np.concatenate([r["forces_std"][:, 0] for r in predictions])
    error = np.concatenate(
        [r["forces"] - a.arrays["REF_forces"] for r, a in zip(predictions, test_frames)]
    )
    expected = spearmanr(sigma, np.linalg.norm(error, axis=1)).statistic
    assert report.forces_std_spearman == pytest.approx(expected)
    assert report.total.mean_force_std == pytest.approx(sigma.mean())
    assert report.coverage_68 == pytest.approx((np.abs(error) <= sigma[:, None]).mean())
    assert report.coverage_68 <= report.coverage_95 <= 1.0


def test_json_has_the_keys_of_the_contract(report):
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert all(math.isfinite(values[name]) for name in CONTRACT)
    assert set(values["config_types"]) == {"pure", "alloy"}
    assert values["config_types"]["alloy"]["n_structures"] == 3


def test_groups_add_up_to_the_total(report):
    groups = report.by_config_type.values()
    squares = sum(3 * e.n_atoms * e.forces_rmse**2 for e in groups)
    assert squares / (3 * report.total.n_atoms) == pytest.approx(report.total.forces_rmse**2)


def test_missing_labels_are_null(potential, test_frames):
    values = evaluate(potential, without(test_frames, "REF_forces", "REF_stress")).to_dict()
    for name in ("forces_rmse", "forces_mae", "forces_std_spearman", "coverage_68", "stress_rmse"):
        assert values[name] is None
    assert values["energy_rmse"] > 0.0
    only_forces = evaluate(potential, without(test_frames, "REF_energy", "REF_stress")).to_dict()
    assert only_forces["energy_rmse"] is None and only_forces["forces_rmse"] > 0.0


def test_threads_do_not_matter(report, potential, test_frames):
    both = evaluate(potential, test_frames, threads=2)
    np.testing.assert_array_equal(both.samples.forces_predicted, report.samples.forces_predicted)
    assert both.total == report.total


def test_one_atom_has_no_rank_correlation(potential, test_frames):
    crystal = without(test_frames[:1], "REF_energy", "REF_stress")[0][:1]
    crystal.info.pop("config_type", None)
    crystal.arrays["REF_forces"] = np.zeros((1, 3))
    assert evaluate(potential, [crystal]).forces_std_spearman is None


def test_bad_structures(potential, test_frames):
    wrong = test_frames[0].copy()
    wrong.symbols[0] = "Au"
    with pytest.raises(SpeciesError, match="Au"):
        evaluate(potential, [wrong])
    with pytest.raises(StructureError, match="REF_energy"):
        evaluate(potential, without(test_frames, "REF_energy", "REF_forces", "REF_stress"))
