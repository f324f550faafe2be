"""Which structures to label for a property: those whose labels leave least of its variance.

At fixed points and noise the posterior variance of a property with the weight gradient g
(`gapy.properties.linearised`) depends on where labels are, not on what they say. With
u = R^-T g and the whitened rows A_c of a candidate over their noise, B_c = R^-T A_c^T,

    var = u^T u,    var after = u^T u - u^T B (1 + B^T B)^-1 B^T u,

B all chosen candidates side by side. The choice is greedy: each time the candidate that leaves the
least, summed over the numbers of the property, each counted by the variance that it begins with.

Source: MacKay, Neural Comput. 4, 590 (1992), for data that inform about a quantity of interest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from ase import Atoms
from scipy.linalg import solve_triangular

from gapy._support.progress import track
from gapy._support.threads import blas_threads
from gapy._support.voigt import has_volume
from gapy.errors import GapyError
from gapy.fit.labels import SYMMETRY_ROW
from gapy.gp.noise import KINDS
from gapy.gp.rows import structure_rows
from gapy.model.potential import Potential
from gapy.properties.linearised import Linearised

KEPT_BYTES = 1_000_000_000
"""Memory for rows of candidates; of more, those that help most alone are kept."""


@dataclass(frozen=True)
class Suggestion:
    """Candidates to label, best first.

    chosen (k,): their indices; names, units (p,); values (p,); before (p,): posterior standard
    deviations; after (k, p): when the first so many are labelled. considered: how many candidates
    were compared to the end, of `candidates`.
    """

    chosen: tuple[int, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    before: np.ndarray
    after: np.ndarray
    considered: int
    candidates: int


def suggest(
    potential: Potential,
    of: Linearised,
    candidates: Sequence[Atoms],
    n: int = 10,
    *,
    progress: bool = False,
) -> Suggestion:
    """The n candidates whose labels shrink the posterior variance of a property most.

    Arguments
    ---------
    of : the property, linearised with the mean of the potential
    candidates : structures; labels, where they have some, are not looked at. They count as labelled
        with the kinds that the model was fitted to, with the noise of their config_type.
    n : how many; fewer come where there are fewer candidates

    Raises GapyError for no candidates or n < 1, SpeciesError for elements that the model does not
    know.
    """
    if not candidates or n < 1:
        raise GapyError(
            f"candidates, n: expected at least one of each, got {len(candidates)} and {n}"
        )
    for atoms in candidates:
        potential.check_species(atoms.numbers)
        potential.check_periodicity(atoms)
    with blas_threads(1):
        u = whitened_gradient(potential, of)
        weight = 1.0 / np.maximum((u * u).sum(axis=0), np.finfo(float).tiny)
        pool = _pool(potential, candidates, u, weight, progress)
        return _greedy(of, pool, u, weight, min(n, len(candidates)), len(candidates))


def whitened_gradient(potential: Potential, of: Linearised) -> np.ndarray:
    """R^-T g (M, p): its columns have the posterior variances as squares."""
    rows = [structure_rows(potential.terms, frame, forces=False).energy for frame in of.frames]
    gradient = potential.posterior.whiten(np.array(rows)) @ of.coefficients.T
    return solve_triangular(potential.posterior.r_factor, gradient, trans="T")


def label_rows(potential: Potential, atoms: Atoms) -> np.ndarray:
    """B = R^-T A^T (M, r): what labels of a structure would add to the posterior."""
    kinds = fitted_kinds(potential)
    rows = structure_rows(
        potential.terms,
        atoms,
        energy="energy" in kinds,
        forces="forces" in kinds,
        stress="stress" in kinds and has_volume(atoms),
    )
    config_type = str(atoms.info.get("config_type", ""))
    parts = []
    for kind, unit in (("energy", np.sqrt(len(atoms))), ("forces", 1.0), ("stress", 1.0)):
        found = getattr(rows, kind)
        if found is None:
            continue
        found = np.atleast_2d(found)
        informative = np.einsum("rs,rs->r", found, found) >= SYMMETRY_ROW**2
        parts.append(found[informative] / (potential.noise.sigma(kind, config_type) * unit))
    whitened = potential.posterior.whiten(np.concatenate(parts))
    return solve_triangular(potential.posterior.r_factor, whitened, trans="T", overwrite_b=True)


def fitted_kinds(potential: Potential) -> tuple[str, ...]:
    """Label kinds that the model was fitted to; all where the file does not say."""
    counts = potential.metadata.get("n_labels", {})
    found = {kind for of in counts.values() for kind in of}
    return tuple(kind for kind in KINDS if kind in found) or KINDS


def remaining(b: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Variances (p,) that labels B (M, r) leave of u (M, p)."""
    inner = b.T @ b
    inner[np.diag_indices_from(inner)] += 1.0
    v = solve_triangular(scipy.linalg.cholesky(inner, lower=True), b.T @ u, lower=True)
    return (u * u).sum(axis=0) - (v * v).sum(axis=0)


def _pool(potential, candidates, u, weight, progress: bool) -> dict[int, np.ndarray]:
    """B of the candidates; of those that help most where not all fit the memory."""
    pool: dict[int, np.ndarray] = {}
    left: dict[int, float] = {}
    used = 0
    for k, atoms in enumerate(track(candidates, "candidates", progress)):
        b = label_rows(potential, atoms)
        pool[k], left[k] = b, float(weight @ remaining(b, u))
        used += b.nbytes
        while used > KEPT_BYTES and len(pool) > 1:
            worst = max(pool, key=left.__getitem__)
            used -= pool.pop(worst).nbytes
    return pool


def _greedy(of: Linearised, pool, u, weight, n: int, total: int) -> Suggestion:
    before = np.sqrt((u * u).sum(axis=0))
    considered, chosen, after = len(pool), [], []
    while pool and len(chosen) < n:
        left = {k: remaining(b, u) for k, b in pool.items()}
        best = min(sorted(pool), key=lambda k: float(weight @ left[k]))
        b = pool.pop(best)
        chosen.append(best)
        after.append(np.sqrt(np.maximum(left[best], 0.0)))
        # With S = (1 + B B^T)^-1/2 every vector v becomes S v: the posterior with these labels.
        orthonormal, singular, _ = np.linalg.svd(b, full_matrices=False)
        shrink = 1.0 / np.sqrt(1.0 + singular**2) - 1.0
        u = u + orthonormal @ (shrink[:, None] * (orthonormal.T @ u))
        for k, other in pool.items():
            pool[k] = other + orthonormal @ (shrink[:, None] * (orthonormal.T @ other))
    return Suggestion(
        tuple(chosen), of.names, of.units, of.values, before, np.array(after), considered, total
    )
