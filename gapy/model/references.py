"""What a model file remembers of its own predictions, so that loading can compare.

Energies of a few training structures tell whether descriptor and weights still mean the same;
sigmas depend on more: triangular factors, prior scale, reach and calibration. They are kept for

- atoms of the reference structures, PROBED of each at most;
- a chain of all species, far outside any training set, so that every species and the reach count;
- a ladder of indicators, which climbs the calibration curve from end to end, and the distances at
  which pairs of species count as too close.

The sigmas are those of single atoms, without the surroundings that `Potential.evaluate` adds, and
of the full posterior: O(M^2), where the fast factors of `evaluate` take O(M^3).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.geometry import complete_cell

from gapy._jit.covariance import normalise, powers
from gapy._support.threads import blas_threads
from gapy.error_bars.calibration import FIRST, Indicators
from gapy.error_bars.extrapolation import norms
from gapy.errors import ModelFileError
from gapy.geometry.neighbours import check_geometry
from gapy.gp.neighbourhood import pairs_of
from gapy.gp.terms import JITTER, local_prior, of_environments
from gapy.model.local_variance import nonnegative
from gapy.structures.spins import with_signs

PROBED = 64
"""Atoms of a structure whose sigmas are kept: enough to reach every inducing point."""
SPACING = 2.2
"""Between neighbours of the chain, A."""
VACUUM = 10.0
"""Around the chain, A."""
FLOOR = 1e-8
"""Of the prior variance: what is left of it carries rounding of 1e-12 or so, which below this would
count in the force sigma."""
TOLERANCE = 1e-5
"""Of a sigma: other machines round differently, by 1e-7 or so, and no one would see 1e-5."""
REACH_TOLERANCE = 1e-8
"""Of a distance from the training environments."""
VARIANCE_NOISE = 1e-11
"""Of the prior variance: rounding of a variance."""
ENERGY_TOLERANCE = 1e-8
"""Of the interaction energy: other machines round differently, by 1e-11 or so."""
EXACT = 1e-10
"""Of sums that involve no solution of an equation."""
COLUMNS = 64
"""Of a factor, looked at together."""
FAR = 10.0
"""Cutoff of a descriptor that states none, A."""
PAIRS_MOST = 30_000_000
"""Estimated pairs of a structure above which it is not evaluated on loading."""


class Sigmas(NamedTuple):
    """Of some atoms: posterior sigma of the local energies, eV; calibrated force sigma, eV/A; how
    far their environments lie beyond the reach of the training set, no unit."""

    energies: np.ndarray
    forces: np.ndarray
    excess: np.ndarray


def pack(potential) -> dict[str, np.ndarray]:
    """The arrays that `check` compares with."""
    out = {}
    for k, (atoms, _) in enumerate(potential.references):
        found = sigmas(potential, atoms)
        out[f"reference{k}.energies_std"] = found.energies
        out[f"reference{k}.forces_std"] = found.forces
    atoms = chain(potential)
    found = sigmas(potential, atoms)
    out["probe.energies"] = _of_pairs(potential).evaluate(atoms).energies
    out["probe.further"] = _further(potential.calibration)
    out["probe.energies_std"] = found.energies
    out["probe.forces_std"] = found.forces
    out["probe.excess"] = found.excess
    out["probe.calibration"] = potential.calibration.sigma(ladder())
    if potential.contacts is not None:
        out["probe.contacts"] = potential.contacts.contact_ss
        if potential.contacts.nearest_s is not None:
            out["probe.nearest"] = potential.contacts.nearest_s
    return out


def check(potential, arrays, path) -> None:
    """Raise ModelFileError unless `potential` predicts what `arrays` of its file say.

    Files of version 2 have no sigmas; there, as everywhere, the factors must fit one another.
    """
    with np.errstate(all="ignore"):  # what overflows does not agree
        _check_factors(potential, path)
        for k, (atoms, stored) in enumerate(potential.references):
            name = f"reference structure {k}"
            _refuse_dense(potential, atoms, f"{path}: {name}")
            found = potential.evaluate(atoms)
            scale = np.abs(found.energies - potential.free_atoms(atoms.numbers)).sum()
            if not abs(found.energy - stored) <= ENERGY_TOLERANCE * max(scale, 1.0):
                raise ModelFileError(
                    f"{path}: energy of {name} expected {stored:.10g} eV as stored, got "
                    f"{found.energy:.10g} eV; fit again with this version of gapy"
                )
            if f"reference{k}.forces_std" in arrays:
                _compare(potential, atoms, arrays, f"reference{k}", name, path)
        if "probe.energies" not in arrays:
            return
        atoms = chain(potential)
        excess = _compare(potential, atoms, arrays, "probe", "a chain of all species", path).excess
        stored = arrays["probe.excess"]
        _require(excess, stored, REACH_TOLERANCE * (stored + 1.0), "excess", "the chain", path)
        if "probe.further" in arrays:
            found, stored = _further(potential.calibration), arrays["probe.further"]
            _require(found, stored, EXACT * stored, "calibration", "variances and energies", path)
        found, e0 = (
            _of_pairs(potential).evaluate(atoms).energies,
            potential.free_atoms(atoms.numbers),
        )
        scale = np.maximum(np.abs(found - e0), 1.0) * ENERGY_TOLERANCE
        _require(found, arrays["probe.energies"], scale, "local energy", "the chain", path)
        found, stored = potential.calibration.sigma(ladder()), arrays["probe.calibration"]
        _require(found, stored, EXACT * stored, "calibrated sigma", "a ladder of indicators", path)
        if potential.contacts is not None:
            found, stored = potential.contacts.contact_ss.ravel(), arrays["probe.contacts"].ravel()
            _require(found, stored, EXACT * stored, "closest distance", "pairs of species", path)
            if potential.contacts.nearest_s is not None and "probe.nearest" in arrays:
                found, stored = potential.contacts.nearest_s, arrays["probe.nearest"]
                _require(found, stored, EXACT * stored, "nearest neighbour", "species", path)


def _further(calibration) -> np.ndarray:
    """What the ladder does not show, and would take a posterior of fewer points to see."""
    energy = calibration.energy
    of_energy = (0.0, 0.0) if energy is None else (energy.scale, energy.power)
    return np.array([*calibration.coarse, calibration.exponent, calibration.gain, *of_energy])


def sigmas(potential, atoms) -> Sigmas:
    """Sigmas of PROBED atoms at most, evenly spaced in the order of species."""
    posterior, terms = potential.posterior, potential.terms
    envs = [term.descriptor.environments(atoms) for term in terms]
    centres = np.unique(np.linspace(0, len(atoms) - 1, min(len(atoms), PROBED)).astype(int))
    chosen = np.argsort(atoms.numbers, kind="stable")[centres]
    rows, excess = np.zeros((len(chosen), len(posterior.w))), np.zeros(len(chosen))
    for b in of_environments(posterior.blocks):
        env, descriptor = envs[b.term], terms[b.term].descriptor
        reach = potential.reach[b.term] if potential.reach else None
        place_n = np.full(len(atoms), -1)
        place_n[env.atom_i] = np.arange(len(env))
        for k, i in enumerate(place_n[chosen]):
            if i >= 0 and env.species_i[i] == b.slot:
                (state, x_id), inv_norm_i = descriptor.forward(env, i, i + 1), np.empty(1)
                normalise(x_id, inv_norm_i)
                if reach and reach.species[b.slot]:
                    unseen_i = descriptor.unseen(env, i, i + 1, state)
                    far = reach.species[b.slot].excess(x_id, norms(inv_norm_i), unseen_i)
                    excess[k] = max(excess[k], far[0])
                kernel = np.empty((1, len(b.x_sd)))
                powers(x_id @ b.x_sd.T, b.zeta, kernel)
                rows[k, b.columns] = kernel[0]
    prior = local_prior(terms, atoms.numbers[chosen])
    with blas_threads(1):
        explained, left = posterior.explained_and_posterior(rows)
        near, first = (
            np.maximum(prior - points.explained(rows), FLOOR * prior)
            for points in (potential.near, potential.near.leading(FIRST))
        )
    variances = nonnegative(prior - explained, prior) + left
    beyond = np.log1p(excess) ** 2
    if potential.contacts is not None:
        beyond += potential.contacts.beyond(pairs_of(terms, atoms), atoms.numbers)[chosen]
    # Forces have errors of their own size; they count in the energy, not here.
    indicators = Indicators(first, near, variances, np.zeros(len(chosen)), beyond)
    return Sigmas(np.sqrt(variances), potential.calibration.sigma(indicators), excess)


def chain(potential) -> Atoms:
    """Two atoms of every species, one after the other on a helix; in a cell, which some
    descriptors need."""
    numbers = np.repeat(potential.species, 2)
    angle = np.arange(len(numbers))
    positions = SPACING * np.stack([np.cos(angle), np.sin(angle), 0.6 * angle], axis=1)
    cell = np.ptp(positions, axis=0) + VACUUM
    periodic = all(term.descriptor.periodic for term in potential.terms)
    both = np.tile([1, -1], len(potential.species))  # moments that no other descriptor looks at
    return with_signs(Atoms(numbers, positions, cell=cell, pbc=periodic), both)


def _of_pairs(potential):
    """Without baselines of whole structures: they give no local energies, and some of them cannot
    evaluate a chain of anything."""
    kept = tuple(b for b in potential.baselines if b.pairwise)
    return (
        potential if len(kept) == len(potential.baselines) else replace(potential, baselines=kept)
    )


def ladder() -> Indicators:
    """Indicators over all sizes, each with and without force, inside and beyond the data."""
    g, force, beyond = (
        v.ravel() for v in np.meshgrid(10.0 ** np.arange(-16.0, 8.0, 0.1), [0.0, 1.0], [0.0, 1.0])
    )
    # Different powers of g, so that it counts which of them sigma follows.
    return Indicators(g, g**0.9, g**1.1, force, beyond)


def _check_factors(potential, path) -> None:
    """L L^T must have the diagonal of K_MM, and L^T alpha = D w."""
    posterior = potential.posterior
    for b, lower in zip(posterior.blocks, posterior.cholesky):
        kernel = np.einsum("sd,sd->s", b.x_sd, b.x_sd) ** b.zeta + JITTER
        squares = np.einsum("ij,ij->i", lower, lower)
        alpha, w = posterior.alpha[b.columns], b.delta * posterior.w[b.columns]
        size = np.abs(w)
        for begin in range(0, len(lower), COLUMNS):  # |L| whole would be a copy of it
            own = slice(begin, begin + COLUMNS)
            size[own] += np.abs(lower[:, own]).T @ np.abs(alpha)
        agree = np.abs(squares - kernel) <= EXACT * kernel
        agree &= np.abs(lower.T @ alpha - w) <= EXACT * size
        agree &= np.diag(lower) > 0.0
        if not agree.all():
            raise ModelFileError(
                f"{path}: cholesky, alpha, w and delta expected to belong together, got "
                f"{int((~agree).sum())} inducing points where they do not; save the model again"
            )


def _refuse_dense(potential, atoms, name: str) -> None:
    """Raise ModelFileError for a structure with so many pairs that evaluating it takes long."""
    check_geometry(atoms.positions, atoms.cell.array, atoms.pbc)
    cutoff = potential.cutoff if np.isfinite(potential.cutoff) else FAR
    box = complete_cell(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0))
    inverse = np.linalg.inv(box)
    fractions = atoms.positions @ inverse
    wrapped = np.where(atoms.pbc, fractions % 1.0, fractions) @ box
    _, counts = np.unique(np.floor(wrapped / cutoff), axis=0, return_counts=True)
    reach = 3.0 * cutoff * np.linalg.norm(inverse, axis=0)  # in cells, across all three bins
    images = np.prod(np.maximum(reach[atoms.pbc], 1.0))
    pairs = 27.0 * float((counts.astype(float) ** 2).sum()) * images
    if not pairs <= PAIRS_MOST:
        raise ModelFileError(
            f"{name} expected to have less than {PAIRS_MOST} pairs, got about {pairs:.1e}; "
            "save the model again"
        )


def _compare(potential, atoms, arrays, start: str, name: str, path) -> Sigmas:
    found = sigmas(potential, atoms)
    prior = max(max(term.delta) for term in potential.terms) ** 2
    for stored, values, what, noise in (
        (arrays[f"{start}.energies_std"], found.energies, "sigma of a local energy", prior),
        (arrays[f"{start}.forces_std"], found.forces, "force sigma", 0.0),
    ):
        allowed = TOLERANCE * stored + VARIANCE_NOISE * noise / np.maximum(stored, 1e-300)
        _require(values, stored, allowed, what, name, path)
    return found


def _require(found, stored, allowed, what: str, name: str, path) -> None:
    if found.shape != stored.shape:
        raise ModelFileError(
            f"{path}: {what} of {name} expected {len(found)} numbers, got {len(stored)}; save "
            "the model again"
        )
    wrong = ~(np.abs(found - stored) <= allowed)
    if wrong.any():
        k = int(wrong.argmax())
        raise ModelFileError(
            f"{path}: {what} of {name} expected {stored[k]:.10g} as stored, got {found[k]:.10g}; "
            "fit again with this version of gapy"
        )
