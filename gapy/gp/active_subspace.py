"""The directions of descriptor space along which a fitted energy changes.

With g_s = d eps / d xh at inducing point s, less its part along xh_s, which the normalisation
removes,

    eps(xh) = sum_s alpha_s (xh . x_s)^zeta,     G = [g_1 ... g_M]^T / sqrt(M) = U diag(sizes) V^T

a column v of V with size sigma is a direction along which the energy of the training environments
changes by sigma per unit length, root mean square. Sizes fall off faster than the singular values
of the inducing points themselves: many directions in which environments differ mean nothing to
the energy.

Source: Constantine, Dow and Wang, SIAM J. Sci. Comput. 36, A1500 (2014), active subspaces.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from gapy._jit.covariance import energy_and_weights, tangent


def energy_directions(x_sd: np.ndarray, alpha_s: np.ndarray, zeta: int):
    """Sizes (k,) eV, falling, and orthonormal directions (D, k), k = min(M, D).

    x_sd (M, D) normalised inducing points, alpha_s (M,) eV their coefficients.
    """
    t_ss = x_sd @ x_sd.T
    eps_s = np.empty(len(x_sd))
    energy_and_weights(t_ss, alpha_s, zeta, eps_s)
    g_sd = t_ss @ x_sd
    tangent(g_sd, x_sd, np.ones(len(x_sd)), zeta, eps_s)
    _, sizes, vt = scipy.linalg.svd(g_sd, full_matrices=False)
    return sizes / np.sqrt(len(x_sd)), vt.T
