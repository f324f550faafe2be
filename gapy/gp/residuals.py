"""What a posterior leaves of the labels of every noise group, from the statistic alone."""

from __future__ import annotations

import numpy as np

from gapy.gp.posterior import Posterior
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.whitening import prior_scale


def residual_rms(posterior: Posterior, statistic: SufficientStatistic) -> dict[Group, float]:
    """Root mean square of y - W D w by group, in the unit of the group's sigma.

    With [R z; 0 rho] of a group its sum of squares is |z - R D w|^2 + rho: no data are needed.
    """
    scaled_w = prior_scale(posterior.blocks) * posterior.w
    out = {}
    for group, factor in statistic.factors.items():
        matrix = factor.matrix()
        left = matrix[:, -1] - matrix[:, :-1] @ scaled_w
        out[group] = float(np.sqrt(left @ left / max(factor.n_rows, 1)))
    return out
