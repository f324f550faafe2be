"""SparseGPR: the sparse Gaussian process on rows of numbers, without structures."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from gapy._support.threads import blas_threads
from gapy.errors import GapyError
from gapy.fit.setting_kinds import Whole
from gapy.gp.inducing import capacity
from gapy.gp.kernel import dot_product, prior
from gapy.gp.likelihood import DELTA_LIMITS, Likelihood, group_moments, maximise
from gapy.gp.posterior import Posterior, solve_blocks
from gapy.gp.selection import select
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.terms import Block, factors_of, normalised
from gapy.gp.whitening import whitened

TARGETS = Group("target", "")
AT_ONCE = 4096
"""Rows whose kernel values are held at once."""
START, SIGMA_LIMITS = (0.1, 1.0), (1e-4, 10.0)
"""sigma and delta from which the likeliest are searched, and the range of sigma, for targets of
unit variance."""


class SparseGPR(RegressorMixin, BaseEstimator):
    """Sparse Gaussian process on rows of numbers, such as descriptors made elsewhere.

        y = mean + f(x) + sigma noise
        cov(f(x), f(x')) = delta^2 [ (x . x' + c) / sqrt((x . x + c) (x' . x' + c)) ]^zeta

    with c = coef0, and the posterior of `SparseGPRegressor` (its selection of inducing points,
    sufficient statistic, likelihood and solution): beside X itself memory does not grow with the
    number of rows. Points are chosen among a random sample of the rows where these are very many.

    Arguments
    ---------
    n_inducing : int
        Inducing points, rows of X; fewer where fewer rows are distinct.
    zeta : int
        Exponent of the kernel. The functions it describes are polynomials of degree zeta in the
        unit vectors of (x, sqrt(c)): take a larger one for targets that vary faster.
    coef0 : float
        c, at least 0. With 0 only the direction of x counts, as for local energies.
    sigma, delta : float or None
        Noise and prior standard deviation, in the unit of y. None: the likeliest ones, sigma not
        below 1e-4 of the standard deviation of y.
    selection : "cholesky", "farthest", "cur", "kmeans" or "random"
        How inducing points are chosen.
    random_state : int, RandomState or None
        Of the selection.

    Attributes
    ----------
    inducing_indices_ (M,) : rows of X that are inducing points
    sigma_, delta_, y_mean_ : in the unit of y
    log_marginal_likelihood_ : of the targets, at the scales in force
    n_features_in_, feature_names_in_ : as of every estimator of scikit-learn

    Raises GapyError for settings out of range, ValueError for X or y that are no finite numbers.
    Source: Quinonero-Candela and Rasmussen, J. Mach. Learn. Res. 6, 1939 (2005).
    """

    def __init__(
        self,
        n_inducing=500,
        *,
        zeta=2,
        coef0=1.0,
        sigma=None,
        delta=None,
        selection="cholesky",
        random_state=0,
    ):
        self.n_inducing = n_inducing
        self.zeta = zeta
        self.coef0 = coef0
        self.sigma = sigma
        self.delta = delta
        self.selection = selection
        self.random_state = random_state

    def fit(self, X, y):
        """Fit to rows X (n, d) with targets y (n,)."""
        self._check_settings()
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        self.y_mean_ = float(np.mean(y))
        self.y_scale_ = float(np.std(y)) or 1.0
        with blas_threads(1):  # others sum in another order
            rng = np.random.default_rng(seed)
            candidates = np.arange(len(X))
            most = capacity(X.shape[1] + 1, self.n_inducing)
            if len(X) > most:
                candidates = np.sort(rng.choice(candidates, most, replace=False))
            x_id = self._rows(X[candidates])
            chosen = select(x_id, self.n_inducing, self.zeta, self.selection, rng)
            points = np.ascontiguousarray(x_id[chosen])
            del x_id
            block = Block(0, 0, 0, len(chosen), points, self.zeta, 1.0)
            (self.cholesky_,) = factors_of([block])
            statistic = SufficientStatistic(len(chosen))
            for begin in range(0, len(y), AT_ONCE):
                part = slice(begin, begin + AT_ONCE)
                rows = whitened(
                    [block], [self.cholesky_], dot_product(self._rows(X[part]), points, self.zeta)
                )
                statistic.add(TARGETS, rows, (y[part] - self.y_mean_) / self.y_scale_)
            sigma, delta = self._scales(block, statistic)
            self.posterior_: Posterior = solve_blocks(
                (replace(block, delta=delta),), (self.cholesky_,), statistic, lambda *group: sigma
            )
        self.inducing_indices_ = candidates[chosen]
        self.sigma_, self.delta_ = sigma * self.y_scale_, delta * self.y_scale_
        self.log_marginal_likelihood_ = float(
            self.posterior_.log_marginal_likelihood - len(y) * np.log(self.y_scale_)
        )
        return self

    def predict(self, X, return_std=False):
        """Mean (n,) of y at rows X (n, d), and with return_std the standard deviation of f there.

        That of a new label is sqrt(std^2 + sigma_^2).
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        mean, variance = np.empty((2, len(X)))
        (block,) = self.posterior_.blocks
        for begin in range(0, len(X), AT_ONCE):
            part = slice(begin, begin + AT_ONCE)
            x_id = self._rows(X[part])
            rows = dot_product(x_id, block.x_sd, self.zeta)
            mean[part] = self.y_mean_ + self.y_scale_ * (rows @ self.posterior_.alpha)
            if return_std:
                explained, left = self.posterior_.explained_and_posterior(rows)
                unexplained = block.delta**2 * prior(x_id, self.zeta) - explained
                variance[part] = np.maximum(unexplained, 0.0) + left
        return (mean, self.y_scale_ * np.sqrt(variance)) if return_std else mean

    def _rows(self, X) -> np.ndarray:
        """(x, sqrt(c)) at unit length, whose products are the kernel's."""
        rows = np.column_stack([X, np.full(len(X), np.sqrt(self.coef0))]) if self.coef0 else X
        largest = np.abs(rows).max(axis=1, initial=0.0)  # squares of large numbers overflow
        return normalised(rows / np.where(largest > 0.0, largest, 1.0)[:, None])

    def _scales(self, block, statistic) -> tuple[float, float]:
        """sigma and delta for targets of unit variance, the likeliest where none are given."""
        given = [None if s is None else s / self.y_scale_ for s in (self.sigma, self.delta)]
        start = np.log([guess if s is None else s for guess, s in zip(START, given)])
        fixed = [(x, x) for x in start]
        limits = [np.log(SIGMA_LIMITS) if self.sigma is None else fixed[0]]
        delta_limits = DELTA_LIMITS if self.delta is None else fixed[1]
        likelihood = Likelihood((block,), group_moments(statistic, [[TARGETS]]))
        found = maximise(likelihood, start[:1], start[1:], limits, delta_limits)
        return float(np.exp(found.log_sigma[0])), float(np.exp(found.log_delta[0]))

    def _check_settings(self) -> None:
        for name in ("n_inducing", "zeta"):
            Whole(1)(name, name, getattr(self, name))
        for name in ("sigma", "delta"):
            given = getattr(self, name)
            if given is not None and not (isinstance(given, Real) and 0.0 < float(given) < np.inf):
                raise GapyError(
                    f"{name}: expected a positive number in the unit of y, got {given!r}; None "
                    "learns it"
                )
        if not (isinstance(self.coef0, Real) and 0.0 <= float(self.coef0) < np.inf):
            raise GapyError(
                f"coef0: expected a number of at least 0, got {self.coef0!r}; 0 leaves only "
                "directions of x"
            )
