"""The calibration of the force sigma finds what was put into its errors."""

import numpy as np
import pytest

from gapy.error_bars import calibration
from gapy.error_bars.coverage import COVERED, WITHIN


@pytest.mark.parametrize("true", [((1e-8, 0.03), (1e-4, 0.3)), ((1e-6, 0.01),), ((4e-8, 0.1),)])
def test_calibration_recovers_known_coefficients(true):
    rng = np.random.default_rng(0)
    indicators = calibration.Indicators(
        *10.0 ** rng.uniform(-8, -4, (3, 4000)), 10.0 ** rng.uniform(-3, 1, 4000), np.zeros(4000)
    )
    known = calibration.ForceCalibration(true)
    errors = known.sigma(indicators)[:, None] * rng.normal(size=(4000, 3))
    found = calibration.calibrate_forces(
        errors, indicators, np.ones(4000, dtype=bool), np.arange(4000), 10.0
    )
    ratio = found.sigma(indicators) / known.sigma(indicators)
    # A corner of the true curve lies between two points of the one that is found.
    assert np.median(np.abs(ratio - 1.0)) < 0.1 and np.quantile(np.abs(ratio - 1.0), 0.9) < 0.3
    assert found.beyond == 10.0


def test_calibration_covers_errors_with_long_tails():
    rng = np.random.default_rng(1)
    n = 4000
    indicators = calibration.Indicators(
        *10.0 ** rng.uniform(-6, -4, (3, n)), np.ones(n), np.zeros(n)
    )
    known = calibration.ForceCalibration(((1e-7, 0.01),))
    errors = known.sigma(indicators)[:, None] * rng.standard_t(4, size=(n, 3))
    told = np.ones(n, dtype=bool)
    told[: n // 5] = False  # zero by symmetry: right whatever sigma says
    errors[~told] = 0.0
    found = calibration.calibrate_forces(errors, indicators, told, np.arange(n), 10.0)
    z = np.abs(errors[told]) / found.sigma(indicators)[told, None]
    assert (z < 1.64485).mean() == pytest.approx(0.90, abs=0.01)
    assert 0.64 < (z < 1.0).mean() < 0.76
    assert 0.91 < (z < 1.96).mean() < 0.97


def test_calibration_covers_errors_as_large_as_forces():
    """The logarithm that keeps sigma from growing far above `beyond` is part of what is scaled."""
    rng = np.random.default_rng(4)
    n = 3000
    values = 10.0 ** rng.uniform(-6, -4, (3, n))
    indicators = calibration.Indicators(*values, np.ones(n), np.zeros(n))
    errors = calibration.ForceCalibration(((1e-8, 0.03), (1e-4, 3.0))).sigma(indicators)[:, None]
    errors = 0.3 * errors * rng.normal(size=(n, 3))
    told, structure = np.ones(n, dtype=bool), np.arange(n)
    for beyond in (0.5, 1.0, 100.0):
        found = calibration.calibrate_forces(errors, indicators, told, structure, beyond)
        z = np.abs(errors) / found.sigma(indicators)[:, None]
        assert (z <= WITHIN).mean() == pytest.approx(COVERED, abs=0.001)
        assert found.beyond == beyond


def test_errors_of_few_structures_are_no_proof():
    rng = np.random.default_rng(5)
    n = 600
    values = 10.0 ** rng.uniform(-6, -4, (3, n))
    indicators = calibration.Indicators(*values, np.ones(n), np.zeros(n))
    errors, told = 0.1 * rng.normal(size=(n, 3)), np.ones(n, dtype=bool)
    many, few = (
        calibration.calibrate_forces(errors, indicators, told, np.arange(n) // size, 1.0)
        for size in (1, 24)
    )
    z = np.abs(errors) / few.sigma(indicators)[:, None]
    assert (z <= WITHIN).mean() == pytest.approx(COVERED * 26 / 25, abs=0.001)
    ratio = few.sigma(indicators) / many.sigma(indicators)
    assert ratio == pytest.approx(ratio[0], rel=0.01) and ratio[0] > 1.1


def test_sigma_grows_with_its_indicators_even_where_errors_are_all_alike():
    rng = np.random.default_rng(2)
    indicators = calibration.Indicators(
        *10.0 ** rng.uniform(-7, -5, (3, 500)), np.ones(500), np.zeros(500)
    )
    errors = 0.1 * rng.normal(size=(500, 3))
    told = np.ones(500, dtype=bool)
    found = calibration.calibrate_forces(errors, indicators, told, np.arange(500), 10.0)
    far = calibration.Indicators(*np.ones((4, 1)), np.zeros(1))
    typical = np.sqrt((found.sigma(indicators) ** 2).mean())
    assert typical == pytest.approx(0.1, rel=0.2)
    assert found.sigma(far)[0] > 10.0 * typical


@pytest.mark.parametrize("names", calibration.CHOICES)
def test_sigma_follows_what_ranks_the_left_out_errors(names):
    rng = np.random.default_rng(3)
    first, distances, variances = 10.0 ** rng.uniform(-7, -3, (3, 800))
    noise = 10.0 ** rng.uniform(-7, -3, 800)  # an indicator that has nothing to do with errors
    truth = calibration.Indicators(first, distances, variances, np.ones(800), np.zeros(800))
    curve = ((1e-9, 0.003), (1e-3, 3.0))
    errors = calibration.ForceCalibration(curve, follows=names).sigma(truth)[:, None]
    given = truth._replace(**{n: noise for n in calibration.ALL if n not in names})
    told = np.ones(800, dtype=bool)
    errors = errors * rng.normal(size=(800, 3))
    assert calibration.best_ranking(errors, given, told) == names
    found = calibration.calibrate_forces(errors, given, told, np.arange(800), 1.0, names)
    assert found.follows == names
    # Of few atoms the first choice is taken.
    told[calibration.FEWEST - 1 :] = False
    assert calibration.best_ranking(errors, given, told) == calibration.ALL


def test_forces_that_vanish_by_symmetry_rank_below_others():
    known = calibration.ForceCalibration(((1e-8, 0.01), (1e-4, 0.3)), beyond=1.0)
    same, far = np.full(2, 1e-5), np.full(2, 4.0)
    forces = np.array([0.0, 1.0])
    for beyond in (np.zeros(2), far):
        still, moving = known.sigma(calibration.Indicators(same, same, same, forces, beyond))
        assert 0.5 * moving < still < 0.9 * moving


def test_calibration_without_forces():
    empty = np.empty(0)
    none = calibration.Indicators(empty, empty, empty, empty, empty)
    no, number = np.empty(0, dtype=bool), np.empty(0, dtype=int)
    found = calibration.calibrate_forces(np.empty((0, 3)), none, no, number, 0.1)
    assert found == calibration.ForceCalibration(((0.1**2, 0.1),), 0.1)
