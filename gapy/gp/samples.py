"""Samples of the posterior weights, and inducing points added where the prior is left open.

With the whitened posterior of `gapy.gp.posterior`, P = R^T R the precision and w the mean,

    w_k = w + R^-1 xi_k,   xi_k ~ N(0, 1),   alpha_k = D L^-T w_k,

so that a functional with row k has the values k . alpha_k, of mean k . alpha and variance
|R^-T l|^2, the second part of the predictive variance. The first part, k** - |l|^2, belongs to
functions that vanish at all inducing points; no choice of w represents them. Inducing points E
that are added with the prior N(0, 1) on their own whitened weights,

    L' = [L 0; L_21 L_22],   R' = [R 0; 0 1],   w' = [w; 0],

change neither the mean nor the total variance of anything, but move what they span from the first
part to the second, where it can be sampled.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), sec. 2.3 and 8.3.4.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import solve_triangular

from gapy.gp.kernel import dot_product
from gapy.gp.pivoted_cholesky import pivots_of
from gapy.gp.posterior import Posterior
from gapy.gp.terms import blocks, normalised
from gapy.gp.whitening import bordered

MAX_CANDIDATES = 3000
"""Environments per species among which points are added; of more, a uniform sample is taken."""
MAX_ADDED = 500
"""Points added per species and term at most: they make every evaluation slower."""
EXPLAINED = 1e-8
"""Share of delta^2 below which an environment counts as described by the points so far."""


def sample_weights(posterior: Posterior, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """n samples of (w, alpha), both (n, M); the first samples of a larger n are the same."""
    m = len(posterior.w)
    xi_km = np.random.default_rng(seed).standard_normal((n, m))
    w_mk = posterior.w[:, None] + solve_triangular(posterior.r_factor, xi_km.T)
    alpha_mk = np.empty_like(w_mk)
    for b, lower in zip(posterior.blocks, posterior.cholesky):
        alpha_mk[b.columns] = solve_triangular(
            lower, b.delta * w_mk[b.columns], lower=True, trans="T"
        )
    return np.ascontiguousarray(w_mk.T), np.ascontiguousarray(alpha_mk.T)


def points_to_add(terms, posterior: Posterior, frames, seed: int) -> tuple[np.ndarray, ...]:
    """For each block the environments of `frames` (ASE Atoms) that its points leave open.

    Pivoted Cholesky of the residual prior covariance K_CC - K_CM K_MM^-1 K_MC.
    """
    rng = np.random.default_rng(seed)
    environments = [
        [] if t.of_pairs else [t.descriptor.environments(a) for a in frames] for t in terms
    ]
    out = []
    for b, lower in zip(posterior.blocks, posterior.cholesky):
        if b.of_pairs:  # its points carry all functions of its distances
            out.append(b.x_sd[:0])
            continue
        descriptor = terms[b.term].descriptor
        parts = [
            normalised(descriptor.values(env, begin, end))
            for env in environments[b.term]
            for begin, end in env.blocks(b.slot)
        ]
        x_cd = np.concatenate([np.empty((0, b.x_sd.shape[1])), *parts])
        if len(x_cd) > MAX_CANDIDATES:
            x_cd = x_cd[np.sort(rng.choice(len(x_cd), MAX_CANDIDATES, replace=False))]
        v_mc = solve_triangular(lower, dot_product(x_cd, b.x_sd, b.zeta).T, lower=True)
        residual_cc = dot_product(x_cd, x_cd, b.zeta) - v_mc.T @ v_mc
        out.append(x_cd[pivots_of(residual_cc, MAX_ADDED, EXPLAINED)])
    return tuple(out)


def augmented(terms, posterior: Posterior, added) -> tuple[tuple, Posterior]:
    """Terms and posterior with the points `added` (one array for each block); see above."""
    inducing = [list(t.inducing) for t in terms]
    for b, x_ed in zip(posterior.blocks, added):
        inducing[b.term][b.slot] = np.ascontiguousarray(np.concatenate([b.x_sd, x_ed]))
    terms = tuple(replace(t, inducing=tuple(i)) for t, i in zip(terms, inducing))
    table = blocks(terms)
    kept = np.concatenate(
        [np.arange(new.start, new.start + len(b.x_sd)) for new, b in zip(table, posterior.blocks)]
    )
    r_factor = np.eye(table[-1].stop)
    r_factor[np.ix_(kept, kept)] = posterior.r_factor
    w, alpha = np.zeros((2, table[-1].stop))
    w[kept], alpha[kept] = posterior.w, posterior.alpha
    cholesky = tuple(bordered(lower, b) for lower, b in zip(posterior.cholesky, table))
    fields = {"blocks": table, "cholesky": cholesky, "r_factor": r_factor, "w": w, "alpha": alpha}
    return terms, replace(posterior, **fields)
