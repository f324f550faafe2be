"""A sensible SOAP and number of inducing points from the structures alone.

The cutoff is the radius within which the median atom has 30 neighbours: two to three shells in
crystals (diamond Si 5.5 A, bcc Mo 5.1 A), where many-body potentials of metals and semiconductors
stop to gain. Hydrogen does not count, because it only decorates what it is bound to. Where
atoms do not have that many neighbours (molecules) the cutoff spans the molecule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols

from gapy.descriptors.stated import soap_of
from gapy.errors import GapyError
from gapy.geometry.neighbours import neighbour_list

N_NEIGHBOURS = 30
"""Neighbours that the median atom has within the automatic cutoff."""
R_MIN, R_MAX = 4.0, 6.5
"""The automatic cutoff lies between these, A."""
SPAN, MARGIN = 99.0, 1.15
"""In molecules: per cent of the pairs spanned, and what the fading weight costs beyond."""
R_PLAIN = 5.0
"""Cutoff where no atom has a neighbour, A."""
N_STRUCTURES = 200
"""Structures that are looked at, evenly spaced in their order."""
MANY_SPECIES = 4
"""From so many species on the descriptor is compressed: its length would grow as their square."""
N_INDUCING, N_ENVIRONMENTS = 1000, 20_000
"""Inducing points of one species with up to so many atoms; more with the root of their number."""
N_ALL, N_ALL_MOST = 2000, 3000
"""The same for all species together, and the most: the fit grows with the square of the sum."""
SIGMA, SIGMA_HYDROGEN = 0.5, 0.4
"""Width of the atomic densities (A), and where there is hydrogen, whose bonds are short."""


@dataclass(frozen=True)
class AutoSOAP:
    """Settings chosen from structures, and why.

    soap: a dscribe SOAP as of smooth_soap; r_cut and sigma (A), n_max, l_max, compression: its
    settings; zeta: exponent of the kernel; n_inducing: inducing points per species, {symbol:
    number}; reasons: {setting: why} of those that were not given.
    """

    soap: object
    r_cut: float
    n_max: int
    l_max: int
    sigma: float
    compression: str
    zeta: int
    n_inducing: dict[str, int]
    reasons: dict[str, str]


def auto_soap(
    structures,
    *,
    r_cut=None,
    n_max=None,
    l_max=None,
    sigma=None,
    compression=None,
    zeta=None,
    atoms=None,
) -> AutoSOAP:
    """Choose a SOAP and numbers of inducing points for structures; what is given stays.

    Arguments
    ---------
    structures : ase.Atoms or LabelledStructures
    r_cut : A; by default the median distance of the 30th neighbour (hydrogen does not count),
        between 4 and 6.5 A
    n_max, l_max : by default 8 and 6
    sigma : A; by default 0.5, with hydrogen 0.4
    compression : dscribe's mode; by default "off", from four species on "mu1nu1"
    zeta : by default 2, whose kernel sum is one quadratic form: with learnt noise as accurate as 4
        wherever it was tried (docs/benchmarks.md), and far cheaper

    atoms : {symbol: number of atoms} of all structures, where these are only a sample

    Raises
    ------
    GapyError : no structures, or settings that dscribe refuses
    """
    frames = [getattr(s, "atoms", s) for s in structures]
    if not frames or not any(map(len, frames)):
        raise GapyError("structures: expected at least one atom, got none; add structures")
    numbers, counts = np.unique(np.concatenate([a.numbers for a in frames]), return_counts=True)
    symbols = [chemical_symbols[z] for z in numbers]
    # A species that occurs only as a free atom is no reason for a smaller descriptor.
    bound = {z for a in frames if len(a) > 1 for z in a.numbers.tolist()}
    n_species = len(bound) or len(symbols)
    kinds = "one species" if n_species == 1 else f"{n_species} species"
    reasons = {}
    if r_cut is None:
        r_cut, reasons["r_cut"] = _cutoff(frames)
    if n_max is None:
        n_max, reasons["n_max"] = 8, "as usual"
    if l_max is None:
        l_max, reasons["l_max"] = 6, "as usual"
    if sigma is None:
        hydrogen = "H" in symbols
        sigma = SIGMA_HYDROGEN if hydrogen else SIGMA
        reasons["sigma"] = "short bonds of hydrogen" if hydrogen else "no hydrogen"
    if compression is None:
        compression = "mu1nu1" if n_species >= MANY_SPECIES else "off"
        reasons["compression"] = kinds
    if zeta is None:
        zeta, reasons["zeta"] = 2, "a quadratic form"
    number = dict(zip(symbols, counts.tolist())) if atoms is None else dict(atoms)
    n_inducing = _inducing(number)
    reasons["n_inducing"] = ", ".join(f"{n} {s} atoms" for s, n in number.items())
    soap = soap_of(
        symbols, r_cut=r_cut, n_max=n_max, l_max=l_max, sigma=sigma, compression=compression
    )
    return AutoSOAP(
        soap, float(r_cut), n_max, l_max, float(sigma), compression, int(zeta), n_inducing, reasons
    )


def _cutoff(frames) -> tuple[float, str]:
    """Cutoff (A), rounded to 0.1, and the reason."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, N_STRUCTURES).round().astype(int))
    only_hydrogen = all((atoms.numbers == 1).all() for atoms in frames)
    nth, pairs = [], []
    for atoms in (frames[k] for k in chosen):
        list_ = neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, R_MAX)
        distance = np.linalg.norm(list_.r_pc, axis=1)
        pairs.append(distance)
        counts = only_hydrogen | (atoms.numbers != 1)
        for k in np.flatnonzero(counts):
            part = slice(list_.first_i[k], list_.first_i[k + 1])
            near = distance[part][counts[list_.j_p[part]]]
            enough = len(near) >= N_NEIGHBOURS
            nth.append(np.partition(near, N_NEIGHBOURS - 1)[N_NEIGHBOURS - 1] if enough else np.inf)
    pairs = np.concatenate(pairs)
    which = "" if only_hydrogen or all((a.numbers != 1).all() for a in frames) else " not hydrogen"
    median = float(np.median(nth)) if nth else np.inf
    if np.isfinite(median):
        r_cut = round(min(max(median, R_MIN), R_MAX), 1)
        return r_cut, f"the median atom has {N_NEIGHBOURS} neighbours{which} within {median:.2f} A"
    if not len(pairs):
        return R_PLAIN, f"no atom has a neighbour within {R_MAX} A"
    span = float(np.percentile(pairs, SPAN))
    r_cut = round(min(max(MARGIN * span, R_MIN), R_MAX), 1)
    if r_cut == R_MAX:
        return r_cut, f"fewer than {N_NEIGHBOURS} neighbours{which} within {R_MAX} A"
    return r_cut, f"{SPAN:g} % of the pairs of atoms are within {span:.2f} A"


def _inducing(atoms: dict[str, int]) -> dict[str, int]:
    """Inducing points of each species from its number of atoms, in hundreds where possible."""
    growth = {s: max(n / N_ENVIRONMENTS, 1.0) ** 0.5 for s, n in atoms.items()}
    wanted = {s: min(N_INDUCING * growth[s], n) for s, n in atoms.items()}
    most = min(N_ALL * max(growth.values()), N_ALL_MOST)
    shrink = min(most / sum(wanted.values()), 1.0)
    return {s: min(max(int(round(shrink * wanted[s], -2)), 100), n) for s, n in atoms.items()}
