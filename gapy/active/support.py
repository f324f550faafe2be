"""Which training groups a property rests on: what its error bar would be without each.

Without the labels of a group the precision is P - A_g^T A_g; it is built again from the factors of
all others (`gapy.gp.statistic`), at the noise in force.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from gapy.errors import GapyError
from gapy.fit.training import TrainingState
from gapy.gp import posterior
from gapy.gp.rows import structure_rows
from gapy.gp.statistic import SufficientStatistic
from gapy.properties.linearised import Linearised


@dataclass(frozen=True)
class Support:
    """names (p,); std (p,): with all labels; without: config_type -> (p,) without its labels."""

    names: tuple[str, ...]
    std: np.ndarray
    without: dict[str, np.ndarray]

    def factors(self) -> dict[str, np.ndarray]:
        """config_type -> (p,) by what the bar grows without it, from the most to the least."""
        found = {name: std / self.std for name, std in self.without.items()}
        return dict(sorted(found.items(), key=lambda item: -float(item[1].max())))


def support(state: TrainingState, of: Linearised) -> Support:
    """Posterior standard deviations of a property with and without each config_type.

    Raises GapyError for a state without labels.
    """
    factors = state.statistic.factors
    if not factors:
        raise GapyError("state: expected one that has seen labels, got none; absorb structures")
    rows = [structure_rows(state.terms, frame, forces=False).energy for frame in of.frames]
    stacked = np.array(rows)

    def std(kept) -> np.ndarray:
        part = SufficientStatistic(state.n_columns, {group: factors[group] for group in kept})
        found = posterior.solve(state.terms, state.cholesky, part, state.noise.sigma)
        gradient = found.whiten(stacked) @ of.coefficients.T
        return np.linalg.norm(solve_triangular(found.r_factor, gradient, trans="T"), axis=0)

    names = sorted({group.config_type for group in factors})
    return Support(
        of.names,
        std(factors),
        {name: std([g for g in factors if g.config_type != name]) for name in names},
    )
