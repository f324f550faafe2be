"""New columns for old data, estimated from a uniform sample of the old structures.

The projected columns of `gapy.gp.online_selection` leave out the innovations of the old rows. Small
as they are, they are all that old data say about the new weights; without them the fit may move old
predictions at no cost. A uniform sample of the old structures tells how large they are.

Let A_g = W_g D be the old columns of the whitened rows of noise group g, Delta_g the innovations,
which are their new columns (`gapy.gp.whitening`), both known on the sample, and s_g^2 the number of
rows of the group over that in the sample. What old columns can express of the innovations is the
ridge regression, over all groups,

    X = argmin |X|^2 + sum_g s_g^2 |Delta_g - A_g X|^2 / sigma_g^2 ,

mended group by group, since a group (energies) may be small beside the others:

    Y_g = argmin |Y_g|^2 + s_g^2 |[Delta_g - A_g X,  e_g] - A_g Y_g|^2 / sigma_g^2

with e_g the residuals of the present fit; X_g is Y_g without its last column. What is
left, Delta'_g and e'_g, is orthogonal to the old columns but for the ridge. So

    [R_g  z_g]  ->  [R_g   R_g D (X + X_g)   z_g ]
                    [ 0        s_g r_g      s_g q_g]

where [r_g q_g] are the first rows, one for each new column, of the triangle of [Delta'_g e'_g].
|s_g q_g|^2 leaves the square of the last row, rho_g^2, where it was counted already.

The cost is that of the sample's rows. The error falls with the number of sampled rows over M; a
sample of everything is used as it is, and exact.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from scipy.linalg import solve_triangular

from gapy.gp.online_selection import NewPoints, column_map
from gapy.gp.posterior import Posterior
from gapy.gp.statistic import Factor, SufficientStatistic, absorb
from gapy.gp.whitening import prior_scale


def estimated(
    statistic: SufficientStatistic,
    terms,
    growth: NewPoints,
    fitted: Posterior,
    sample: SufficientStatistic,
    sigma_of,
) -> SufficientStatistic:
    """The statistic with columns for the new points, estimated from a sample.

    Arguments
    ---------
    statistic, terms : of all old structures, and the model before it grows
    fitted : posterior of that model
    sample : statistic of a uniform sample of the old structures, columns of `growth.extend(terms)`,
        whitened by factors that border the old ones
    sigma_of : noise of a group, `sigma_of(*group)`
    """
    old, new = column_map(terms, growth)
    scale = prior_scale(fitted.blocks)
    parts = {}
    for key, factor in sample.factors.items():
        if not factor.n_rows:
            continue  # all labels of the group in the sample vanish by symmetry
        rows = factor.matrix()
        weight = np.sqrt(statistic.factors[key].n_rows / factor.n_rows) / sigma_of(*key)
        l_rows = rows[:, old] * scale
        residual = rows[:, -1] - l_rows @ fitted.w
        parts[key] = (weight * l_rows, weight * np.column_stack([rows[:, new], residual]))
    x = _ridge([(l_rows, target[:, :-1]) for l_rows, target in parts.values()])
    out = SufficientStatistic(len(old) + len(new))
    for key, factor in statistic.factors.items():
        rows = factor.matrix()
        if not factor.is_triangle:
            # Few rows are kept as they came; here they must be a triangle, rho in its last row.
            rows = scipy.linalg.qr(rows, mode="r")[0][: len(old) + 1]
        l_rows = rows[:, :-1] * scale
        matrix = np.empty((len(rows), len(old) + len(new) + 1))
        matrix[:, old] = rows[:, :-1]
        matrix[:, new] = l_rows @ x
        matrix[:, -1] = rows[:, -1]
        if key in parts:
            own_x, left = _own_part(*parts[key], x)
            matrix[:, new] += l_rows @ own_x
            matrix = _with_innovations(matrix, new, left * sigma_of(*key))
        out.factors[key] = Factor.of(matrix, factor.n_rows, factor.log_weight)
    return out


def _ridge(parts) -> np.ndarray:
    """argmin_X |X|^2 + sum |target - A X|^2 over (A, target), by QR: the identity is the ridge."""
    n_old, n_new = parts[0][0].shape[1], parts[0][1].shape[1]
    triangle = np.zeros((n_old + n_new, n_old + n_new), order="F")
    triangle[np.arange(n_old), np.arange(n_old)] = 1.0
    for l_rows, target in parts:
        triangle = absorb(triangle, np.asfortranarray(np.concatenate([l_rows, target], axis=1)))
    return solve_triangular(triangle[:n_old, :n_old], triangle[:n_old, n_old:])


def _own_part(l_rows, target, x) -> tuple[np.ndarray, np.ndarray]:
    """X_g (M, m), and [Delta'_g e'_g], from the weighted sample rows of a group."""
    target = target.copy()
    target[:, :-1] -= l_rows @ x
    own = _ridge([(l_rows, target)])
    return own[:, :-1], target - l_rows @ own


def _with_innovations(matrix, new, left) -> np.ndarray:
    """`matrix` [R, R_new, z] with rows for what is left of the innovations and residuals."""
    left = scipy.linalg.qr(left, mode="r")[0][: len(new)]
    more = np.zeros((len(left), matrix.shape[1]))
    more[:, new] = left[:, :-1]
    more[:, -1] = left[:, -1]
    if len(matrix) == matrix.shape[1] - len(new):  # it has a row for rho
        rest = matrix[-1, -1] ** 2 - (left[:, -1] ** 2).sum()
        matrix[-1, -1] = np.sqrt(max(rest, 0.0))
    return np.concatenate([matrix, more])
