"""What the error bars of forces are worth: coverage, likelihood, reliability, ranking.

sigma is one number per atom, the standard deviation of each Cartesian component of its force. So
coverage, miscalibration and likelihood are counted over components, and ranking over atoms, by the
root mean square error of the three components, which is what sigma predicts.

Sources: Kuleshov, Fenner and Ermon, ICML (2018), arXiv:1807.00263, for calibration curves; Levi et
al., Sensors 22, 5540 (2022) for binned reliability.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import erf

from gapy._support.ranking import auroc, spearman

COVERAGE = {50: 0.6744897501960817, 68: 1.0, 90: 1.6448536269514722, 95: 1.959963984540054}
"""Per cent of a normal distribution within so many standard deviations (50, 68.27, 90, 95)."""

N_BINS, MIN_BIN = 10, 10
"""Bins of the reliability diagram, and the least number of atoms in one of several bins."""

THRESHOLD = 3.0
"""An error is called large above so many times the force RMSE, unless a threshold is given."""


@dataclass(frozen=True)
class Bin:
    """Atoms of similar sigma: their number, mean sigma, RMS sigma and RMS error, eV/A.

    An honest sigma has rms_error equal to rms_std in every bin.
    """

    n_atoms: int
    mean_std: float
    rms_std: float
    rms_error: float


@dataclass(frozen=True)
class ErrorBars:
    """Quality of the error bars on some atoms; None where it is not defined.

    n_judged: atoms with force labels that all the rest is about; n_symmetric: atoms left out since
    their force is zero by symmetry (`gapy.geometry.symmetry`), right whatever the model and sigma.
    coverage_50 ... coverage_95: share of force components within 0.674, 1, 1.645 and 1.960 sigma;
    0.50, 0.683, 0.90 and 0.95 if errors are normal and sigma is right.
    miscalibration_area: area between observed and nominal coverage, 0 (perfect) to 0.5.
    nll: mean negative log likelihood of a component, log(2 pi sigma^2) / 2 + e^2 / (2 sigma^2),
    with forces in eV/A.
    forces_std_spearman: rank correlation over atoms of sigma with the length of the force error.
    auroc: probability that an atom with an RMS component error above error_threshold (eV/A) has
    a larger sigma than one below (ties count half); n_above: how many such atoms there are.
    reliability: bins of equal numbers of atoms, by sigma.
    """

    n_judged: int
    n_symmetric: int
    coverage_50: float | None
    coverage_68: float | None
    coverage_90: float | None
    coverage_95: float | None
    miscalibration_area: float | None
    nll: float | None
    forces_std_spearman: float | None
    auroc: float | None
    error_threshold: float | None
    n_above: int | None
    reliability: tuple[Bin, ...] | None

    def to_dict(self) -> dict:
        """Plain JSON."""
        out = asdict(self)
        if self.reliability is not None:
            out["reliability"] = list(out["reliability"])
        return out


def error_bars(
    errors: np.ndarray, sigma: np.ndarray, threshold: float | None = None, *, n_symmetric: int = 0
) -> ErrorBars:
    """ErrorBars of force errors (n, 3) and sigma (n,), both eV/A.

    `threshold` (eV/A) parts large errors from small ones; by default 3 times the RMSE of `errors`.
    `n_symmetric` atoms were left out of both.
    """
    if not len(sigma):
        return ErrorBars(0, n_symmetric, *[None] * 8, threshold, None, None)
    atom_error = np.sqrt((errors**2).mean(axis=1))
    if threshold is None:
        threshold = default_threshold(errors)
    above = atom_error > threshold
    return ErrorBars(
        n_judged=len(sigma),
        n_symmetric=n_symmetric,
        **{f"coverage_{p}": coverage(errors, sigma, width) for p, width in COVERAGE.items()},
        miscalibration_area=miscalibration_area(errors, sigma),
        nll=negative_log_likelihood(errors, sigma),
        forces_std_spearman=spearman(sigma, atom_error),
        auroc=auroc(sigma, above),
        error_threshold=threshold,
        n_above=int(above.sum()),
        reliability=reliability_bins(atom_error, sigma),
    )


def default_threshold(errors: np.ndarray) -> float | None:
    """3 times the RMSE of force errors (n, 3), eV/A; None without any."""
    return THRESHOLD * float(np.sqrt((errors**2).mean())) if len(errors) else None


def coverage(errors: np.ndarray, sigma: np.ndarray, widths: float) -> float:
    """Share of components (n, 3) within `widths` sigma (n,)."""
    return float((np.abs(errors) <= widths * sigma[:, None]).mean())


def levels(errors: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Sorted nominal levels u (3n,): the central interval of level u just contains the component.

        u = erf(|e| / (sqrt(2) sigma))

    The observed coverage of the interval of level p is the share of u <= p; calibrated error bars
    have u uniform in (0, 1). No error is within any interval; an error without a sigma in none.
    """
    e = np.abs(errors)
    width = np.broadcast_to(np.sqrt(2.0) * sigma[:, None], e.shape)
    z = np.divide(e, width, out=np.where(e > 0.0, np.inf, 0.0), where=width > 0.0)
    return np.sort(erf(z).ravel())


def miscalibration_area(errors: np.ndarray, sigma: np.ndarray) -> float:
    """integral_0^1 |observed(p) - p| dp, exact for the steps of the observed coverage."""
    u = levels(errors, sigma)
    edges = np.concatenate([[0.0], u, [1.0]])
    step = np.arange(len(u) + 1) / len(u)  # the observed coverage between two edges
    # The antiderivative of |p - step| at both ends of every interval.
    right, left = edges[1:] - step, edges[:-1] - step
    return float(0.5 * (right * np.abs(right) - left * np.abs(left)).sum())


def negative_log_likelihood(errors: np.ndarray, sigma: np.ndarray) -> float | None:
    """Mean over components, forces in eV/A; None if some sigma is zero."""
    if not (sigma > 0.0).all():
        return None
    variance = sigma[:, None] ** 2
    return float(0.5 * (np.log(2.0 * np.pi * variance) + errors**2 / variance).mean())


def reliability_bins(error: np.ndarray, sigma: np.ndarray) -> tuple[Bin, ...]:
    """Bins of equal numbers of atoms in the order of sigma; error and sigma (n,) per atom."""
    order = np.argsort(sigma, kind="stable")
    n_bins = min(max(len(sigma) // MIN_BIN, 1), N_BINS)
    return tuple(
        Bin(
            n_atoms=len(part),
            mean_std=float(sigma[part].mean()),
            rms_std=float(np.sqrt((sigma[part] ** 2).mean())),
            rms_error=float(np.sqrt((error[part] ** 2).mean())),
        )
        for part in np.array_split(order, n_bins)
    )
