"""Statistics of error bars against plain formulas, scikit-learn, scipy and known distributions."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, spearmanr
from sklearn.metrics import roc_auc_score

from gapy.errors import GapyError
from gapy.validation import reliability as r
from gapy.validation.evaluation import evaluate
from gapy.validation.reliability_plot import reliability

PNG = b"\x89PNG\r\n\x1a\n"


def made(n=4000, factor=1.0, seed=0):
    """Normal errors of `factor` times their sigma."""
    rng = np.random.default_rng(seed)
    sigma = 10 ** rng.uniform(-2, 0, n)
    return factor * sigma[:, None] * rng.normal(size=(n, 3)), sigma


@pytest.fixture(scope="module")
def report(potential, test_frames):
    return evaluate(potential, test_frames, error_threshold=0.05)


def test_honest_error_bars():
    bars = r.error_bars(*made(n=20000))
    for percent, nominal in ((50, 0.5), (68, 0.6827), (90, 0.9), (95, 0.95)):
        assert getattr(bars, f"coverage_{percent}") == pytest.approx(nominal, abs=0.01)
    assert bars.miscalibration_area < 0.01
    for b in bars.reliability:
        assert b.rms_error == pytest.approx(b.rms_std, rel=0.05)
    # -E log N(e; sigma) = E log sigma + log(2 pi e) / 2, and E log10 sigma = -1 here.
    assert bars.nll == pytest.approx(-np.log(10) + 0.5 * np.log(2 * np.pi * np.e), abs=0.03)


@pytest.mark.parametrize("factor", [0.3, 0.8, 1.5, 4.0])
def test_miscalibration_area_of_a_wrong_scale(factor):
    """Errors `factor` times too large: observed(p) = 2 Phi(z_p / factor) - 1, by quadrature."""
    p = np.linspace(0, 1, 200001)[1:-1]
    observed = 2 * norm.cdf(norm.ppf(0.5 + 0.5 * p) / factor) - 1
    expected = np.abs(observed - p).mean()
    got = r.miscalibration_area(*made(n=30000, factor=factor))
    assert got == pytest.approx(expected, abs=0.006)


def test_miscalibration_area_is_exact_for_few_errors():
    errors, sigma = made(n=2, seed=3)
    inside = [2 * norm.cdf(abs(e) / s) - 1 for row, s in zip(errors, sigma) for e in row]
    p = (np.arange(400000) + 0.5) / 400000
    observed = (np.array(inside)[:, None] <= p).mean(axis=0)
    expected = np.abs(observed - p).mean()
    assert r.miscalibration_area(errors, sigma) == pytest.approx(expected, abs=1e-5)


def test_miscalibration_area_of_the_extremes():
    sigma = np.ones(50)
    assert r.miscalibration_area(np.full((50, 3), 1e9), sigma) == pytest.approx(0.5)
    assert r.miscalibration_area(np.zeros((50, 3)), sigma) == pytest.approx(0.5)
    # No sigma: an error is never inside, no error always is.
    assert r.levels(np.array([[0.0, 1.0, -1.0]]), np.zeros(1)).tolist() == [0.0, 1.0, 1.0]


def test_likelihood_is_that_of_scipy():
    errors, sigma = made(n=100, factor=2.0)
    expected = -norm.logpdf(errors, scale=sigma[:, None]).mean()
    assert r.negative_log_likelihood(errors, sigma) == pytest.approx(expected)
    assert r.negative_log_likelihood(errors, 0.0 * sigma) is None


def test_auroc_is_that_of_scikit_learn():
    rng = np.random.default_rng(5)
    score = rng.integers(0, 20, 300).astype(float)  # many ties
    positive = rng.random(300) < 0.1 + 0.03 * score
    assert r.auroc(score, positive) == pytest.approx(roc_auc_score(positive, score))
    assert r.auroc(score, np.zeros(300, dtype=bool)) is None
    assert r.auroc(score, np.ones(300, dtype=bool)) is None
    assert r.auroc(np.ones(300), positive) == 0.5


def test_bins_have_equal_numbers_in_the_order_of_sigma():
    errors, sigma = made(n=1003)
    bins = r.error_bars(errors, sigma).reliability
    assert len(bins) == r.N_BINS and {b.n_atoms for b in bins} == {100, 101}
    assert sum(b.n_atoms for b in bins) == 1003
    means = [b.mean_std for b in bins]
    assert means == sorted(means)
    total = sum(b.n_atoms * b.rms_error**2 for b in bins) / 1003
    assert total == pytest.approx((errors**2).mean())
    assert len(r.error_bars(errors[:19], sigma[:19]).reliability) == 1


def test_threshold_is_three_times_the_rmse_of_a_component():
    errors, sigma = made(n=500)
    bars = r.error_bars(errors, sigma)
    assert bars.error_threshold == pytest.approx(3 * np.sqrt((errors**2).mean()))
    atom_error = np.sqrt((errors**2).sum(axis=1) / 3)
    above = atom_error > bars.error_threshold
    assert bars.n_above == above.sum() > 0
    assert bars.auroc == pytest.approx(roc_auc_score(above, sigma))
    assert bars.forces_std_spearman == pytest.approx(spearmanr(sigma, atom_error).statistic)


def test_what_is_undefined_is_none():
    nothing = r.error_bars(np.empty((0, 3)), np.empty(0))
    values = nothing.to_dict()
    assert (values.pop("n_judged"), values.pop("n_symmetric")) == (0, 0)
    assert set(values.values()) == {None}
    constant = r.error_bars(np.ones((30, 3)), np.full(30, 0.5))
    assert constant.forces_std_spearman is None and constant.auroc is None
    perfect = r.error_bars(np.zeros((30, 3)), np.linspace(0.1, 1, 30))
    assert perfect.auroc is None and perfect.error_threshold == 0.0 and perfect.coverage_50 == 1.0
    one = r.error_bars(np.ones((1, 3)), np.ones(1))
    assert one.coverage_68 == 1.0 and one.forces_std_spearman is None
    assert [b.n_atoms for b in one.reliability] == [1]


def test_report_of_evaluate(report, potential, test_frames):
    s = report.samples
    errors = s.forces_predicted - s.forces
    assert report.error_bars == r.error_bars(errors, s.forces_std, 0.05)
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    for name in ("coverage_50", "coverage_90", "miscalibration_area", "nll", "auroc"):
        assert np.isfinite(values[name])
    alloy = values["config_types"]["alloy"]
    of = s.forces_group == "alloy"
    assert alloy["nll"] == pytest.approx(r.negative_log_likelihood(errors[of], s.forces_std[of]))
    assert alloy["error_threshold"] == values["error_threshold"] == 0.05
    assert sum(b["n_atoms"] for b in values["reliability"]) == report.total.n_atoms


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_threshold(potential, test_frames, threshold):
    with pytest.raises(GapyError, match="error_threshold: expected a positive number"):
        evaluate(potential, test_frames, error_threshold=threshold)


def test_picture(report, tmp_path):
    left, right = reliability(report, tmp_path / "r.png")
    assert (tmp_path / "r.png").read_bytes().startswith(PNG)
    assert left.lines[1].get_xdata() == pytest.approx(
        [b.rms_std for b in report.error_bars.reliability]
    )
    (observed,) = (line for line in right.lines if line.get_label() == "all atoms")
    at = np.interp(0.6826895, observed.get_xdata(), observed.get_ydata())
    assert at == pytest.approx(report.coverage_68, abs=0.02)


def test_curves_of_the_worst_groups_have_names(report):
    rng = np.random.default_rng(0)
    n_types, per_type = 8, 1000
    names = np.repeat([f"type{k}" for k in range(n_types)], per_type)
    n = len(names)
    # Errors grow from group to group while sigma stays: the last ones are the worst.
    errors = rng.normal(size=(n, 3)) * np.repeat(1.0 + np.arange(n_types), per_type)[:, None]
    samples = replace(
        report.samples, forces=np.zeros((n, 3)), forces_predicted=errors, forces_std=np.ones(n),
        forces_group=names, forces_symmetric=np.zeros(n, dtype=bool),
    )  # fmt: skip
    bars = {name: r.error_bars(*samples.judged(name)) for name in np.unique(names)}
    made_up = replace(
        report, samples=samples, error_bars=r.error_bars(errors, np.ones(n)),
        error_bars_by_config_type=bars,
    )  # fmt: skip
    figure = reliability(made_up)[0].figure
    shown = [t.get_text() for t in figure.legends[0].get_texts()]
    assert shown[:3] == ["calibrated", "all atoms", "3 others"]
    expected = [f"type{k}" for k in (7, 6, 5, 4, 3)]
    assert [text.split()[0] for text in shown[3:]] == expected


def test_picture_of_energies_alone(potential, test_frames):
    frames = [a.copy() for a in test_frames]
    for atoms in frames:
        del atoms.arrays["REF_forces"]
    report = evaluate(potential, frames)
    assert report.error_bars.coverage_50 is None
    with pytest.raises(GapyError, match="reliability: expected forces, got none"):
        reliability(report)
