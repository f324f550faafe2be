"""Where error bars are too narrow: groups of structures whose forces leave them too often.

The share c of force components within the 90 % bar is judged against 0.90. Components of one atom
and atoms of one structure err together, so its standard error is the larger of

    sqrt(0.9 * 0.1 / n_atoms)                        atoms as if independent
    sqrt(K / (K - 1) sum_k w_k^2 (c_k - c)^2)        from the scatter over K > 1 structures

with c_k the share of structure k and w_k its share of the components. A group is over-confident if
c is two standard errors below 0.90 and below 0.80: less would be certain in large groups and
matter to nobody. One structure has no scatter, so its number is always said.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from gapy.validation.reliability import COVERAGE

NOMINAL, LEAST, ERRORS = 0.90, 0.80, 2.0


@dataclass(frozen=True)
class OverConfident:
    """A config_type whose error bars are too narrow, and on how much this rests."""

    config_type: str
    coverage_90: float
    n_structures: int
    n_atoms: int

    def to_dict(self) -> dict:
        """Plain JSON."""
        return asdict(self)

    def __str__(self) -> str:
        structures = "1 structure" if self.n_structures == 1 else f"{self.n_structures} structures"
        return (
            f"{self.config_type}: {100 * self.coverage_90:.0f} % within the 90 % bar ({structures})"
        )


def over_confident(errors, sigma, group, structure) -> tuple[OverConfident, ...]:
    """Groups with too narrow bars, the narrowest first.

    errors (n, 3) and sigma (n,), eV/A, of atoms; group (n,) their config_type, structure (n,) the
    number of their structure.
    """
    inside = (np.abs(errors) <= COVERAGE[90] * sigma[:, None]).mean(axis=1)
    found = []
    for name in np.unique(group):
        of = group == name
        _, member = np.unique(structure[of], return_inverse=True)
        share = float(inside[of].mean())
        if share < min(LEAST, NOMINAL - ERRORS * _standard_error(inside[of], member)):
            found.append(OverConfident(str(name), share, int(member.max()) + 1, int(of.sum())))
    return tuple(sorted(found, key=lambda g: g.coverage_90))


def _standard_error(inside: np.ndarray, member: np.ndarray) -> float:
    binomial = np.sqrt(NOMINAL * (1.0 - NOMINAL) / len(inside))
    size = np.bincount(member)
    if len(size) == 1:
        return float(binomial)
    # sum over a structure of what its atoms deviate = size_k (c_k - c)
    off = np.bincount(member, weights=inside - inside.mean()) / len(inside)
    return float(max(binomial, np.sqrt(len(size) / (len(size) - 1) * (off**2).sum())))
