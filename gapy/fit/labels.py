"""The equation of a label: which rows, which value, which noise.

    energy   y = E - E_b - sum_i e0(Z_i)    standard deviation  sigma_E sqrt(N)
    forces   y = F - F_b                                        sigma_F
    stress   y = S - S_b                                        sigma_S

with what the baselines b give of the structure (`gapy.baselines`) and the sigmas of the structure's
noise group, a label kind in a config_type. A structure's own sigma s is absolute: its rows belong
to a group of their own, whose sigma is a factor without unit (1 unless it is learnt), so that the
standard deviation is s times the factor, times sqrt(N) for an energy. The fit, leave-one-out
errors, calibration and inspection all take their labels from here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gapy._support.voigt import stress_of
from gapy.baselines import Baseline, baseline_of
from gapy.errors import GapyError
from gapy.gp.noise import KINDS, Noise
from gapy.gp.rows import Rows, structure_rows
from gapy.gp.statistic import Group, SufficientStatistic
from gapy.gp.terms import Block
from gapy.gp.whitening import whitened
from gapy.structures import LabelledStructure

SYMMETRY_ROW = 1e-8
"""Rows K_nM of a smaller norm, at delta = 1 in 1/A, vanish by symmetry up to rounding."""


@dataclass(frozen=True)
class Labels:
    """Labels of one kind of one structure.

    group: their noise group; rows (n, M) of K_nM at delta = 1, or whitened ones, W = K L^-T
    (`whitened_labels`); y (n,) in label units, less what is subtracted before the fit; scale:
    standard deviation of the noise over the sigma of the group.
    """

    group: Group
    rows: np.ndarray
    y: np.ndarray
    scale: float

    def sigma(self, noise: Noise) -> float:
        """Standard deviation of the noise of each label, in the units of y."""
        return noise.sigma(*self.group) * self.scale


def labelled_kinds(s: LabelledStructure, kinds: Collection[str] = KINDS) -> tuple[str, ...]:
    """Those of `kinds` that a structure has labels of."""
    return tuple(k for k in KINDS if k in kinds and getattr(s, k) is not None)


def rows_of(
    terms, s: LabelledStructure, kinds: Collection[str] = KINDS, environments=None, *, local=False
) -> Rows:
    """Rows of K_nM for the labels of these kinds; `local`: for the local energies too.

    environments: what each term sees of the structure, if known.
    """
    have = labelled_kinds(s, kinds)
    return structure_rows(
        terms,
        s.atoms,
        energy="energy" in have,
        local=local,
        forces="forces" in have,
        stress="stress" in have,
        environments=environments,
    )


def without(s: LabelledStructure, baselines: Sequence[Baseline]) -> LabelledStructure:
    """The structure with labels that have lost what the baselines give.

    Raises GapyErrors of the baselines, with the place of the structure.
    """
    if not baselines:
        return s
    try:
        base = baseline_of(s.atoms, baselines)
    except GapyError as error:
        raise type(error)(f"{s.where}: {error}") from error
    return replace(
        s,
        energy=None if s.energy is None else s.energy - base.energy,
        forces=None if s.forces is None else s.forces - base.forces,
        stress=None if s.stress is None else s.stress - stress_of(base.virial, s.atoms),
    )


def labels_of(
    s: LabelledStructure, rows: Rows, e0: Mapping[int, float], baselines: Sequence[Baseline] = ()
) -> list[Labels]:
    """Labels of every kind for which there are rows, as `rows_of` gives them."""
    less, out = without(s, baselines), []
    if rows.energy is not None and less.energy is not None:
        y = less.energy - sum(e0[int(z)] for z in s.atoms.numbers)
        out.append(_labels(s, "energy", rows.energy[None], np.array([y]), np.sqrt(len(s.atoms))))
    if rows.forces is not None and less.forces is not None:
        out.append(_labels(s, "forces", rows.forces, less.forces.ravel(), 1.0))
    if rows.stress is not None and less.stress is not None:
        out.append(_labels(s, "stress", rows.stress, less.stress, 1.0))
    return out


def _labels(s: LabelledStructure, kind: str, rows, y, unit: float) -> Labels:
    own = getattr(s, f"{kind}_sigma")
    group = Group(kind, s.config_type, own is not None)
    return Labels(group, rows, y, unit if own is None else own * unit)


def whitened_labels(labels: Iterable[Labels], table: Sequence[Block], cholesky) -> list[Labels]:
    """The labels with whitened rows; those that vanish by symmetry are zero to the last bit.

    table, cholesky: blocks of columns, and the factors of K_MM. Many labels at once take less time:
    the factors are read as often for one row as for many.
    """
    each = list(labels)
    if not each:
        return []
    rows = np.concatenate([one.rows for one in each])
    rows[np.einsum("rs,rs->r", rows, rows) < SYMMETRY_ROW**2] = 0.0
    w_rs = whitened(table, cholesky, rows)
    starts = np.cumsum([0, *(len(one.y) for one in each)]).tolist()
    return [replace(one, rows=w_rs[a:b]) for one, a, b in zip(each, starts, starts[1:])]


def add_labels(
    statistic: SufficientStatistic, labels: Iterable[Labels], table: Sequence[Block], cholesky
) -> list[Labels]:
    """Add labels to a statistic that refers to these factors; returns them whitened."""
    found = whitened_labels(labels, table, cholesky)
    add_whitened(statistic, found)
    return found


def add_whitened(statistic: SufficientStatistic, labels: Iterable[Labels]) -> None:
    """Add labels with whitened rows to a statistic, rows divided by their scale.

    What vanishes by symmetry is known without data and would only pass for labels without noise.
    """
    for one in labels:
        seen = one.rows.any(axis=1)
        statistic.add(one.group, one.rows[seen], one.y[seen], 1.0 / one.scale)


@dataclass(frozen=True)
class StackedLabels:
    """All labels of a structure, one below the other: energy, forces, stress.

    rows (n, M), whitened where those of the labels were, y (n,) and the standard deviation of their
    noise, sigma (n,); `where` says which of them are of a kind.
    """

    rows: np.ndarray
    y: np.ndarray
    sigma: np.ndarray
    where: Mapping[str, slice]

    def of(self, kind: str, values: np.ndarray) -> np.ndarray | None:
        """Those of `values` (n,), one for each label, that are of a kind; None without labels."""
        return values[self.where[kind]] if kind in self.where else None


def stacked(labels: Iterable[Labels], noise: Noise) -> StackedLabels | None:
    """Labels of one structure for its leave-one-out error; None if there are none."""
    parts = list(labels)
    if not parts:
        return None
    where, start = {}, 0
    for one in parts:
        where[one.group.kind] = slice(start, start + len(one.y))
        start += len(one.y)
    return StackedLabels(
        rows=np.concatenate([one.rows for one in parts]),
        y=np.concatenate([one.y for one in parts]),
        sigma=np.concatenate([np.full(len(one.y), one.sigma(noise)) for one in parts]),
        where=where,
    )
