"""What a fit keeps of its labels: rows that tell something, and a record of what was seen."""

from __future__ import annotations

import platform

import numpy as np

import gapy

SYMMETRY_ROW = 1e-8
"""Rows K_nM of a smaller norm, at delta = 1 in 1/A, vanish by symmetry up to rounding."""


def add_label(statistic, kind: str, structure, rows, y, weight) -> None:
    """Add the labels of one kind of a structure to the statistic.

    What vanishes by symmetry is known without data and would only pass for labels without noise.
    """
    told = np.einsum("rs,rs->r", rows, rows) > SYMMETRY_ROW**2
    statistic.add(kind, structure.config_type, rows[told], y[told], weight)


def fit_metadata(regressor, posterior) -> dict:
    """Plain JSON of a fit: versions, hash of the data, counts of labels by config_type and kind."""
    counts: dict = {}
    for (kind, config_type), factor in sorted(regressor.statistic_.factors.items()):
        counts.setdefault(config_type, {})[kind] = factor.n_rows
    return {
        "gapy": gapy.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "data_sha256": regressor._digest.hex(),
        "n_structures": regressor.n_structures_,
        "n_labels": counts,
        "selection": regressor.selection,
        "seed": int(regressor.seed),
        "noise_learnt": regressor._fitted_noise != regressor._noise(),
        "log_marginal_likelihood": posterior.log_marginal_likelihood,
    }
