"""The sample of a fit dealt out into parts, each of which is left out in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg.blas import dsyrk

from gapy.fit.labels import Labels
from gapy.fit.sample import Sampled
from gapy.gp.noise import Noise

Family = tuple[str, bool]
"""A label kind, and whether its structures state their own sigma."""


class Line(NamedTuple):
    """Labels whose errors have one mean: of a kind, in structures of one name."""

    kind: str
    name: str


@dataclass(frozen=True)
class Part:
    """Labels of some structures, one family after the other.

    w_rm (R, M): whitened rows at delta = 1; y_r in label units; spans: rows of each family. lines:
    of each of `labels`; label_r: number of each row among these, share_r: what its squared
    residual counts there, so that the sum is the mean square of the structure, of energies per
    atom.
    """

    labels: tuple[Labels, ...]
    w_rm: np.ndarray
    y_r: np.ndarray
    spans: Mapping[Family, slice]
    lines: tuple[Line, ...]
    label_r: np.ndarray
    share_r: np.ndarray

    def moments(self, noise: Noise) -> Iterator[tuple[Family, np.ndarray, np.ndarray]]:
        """(family, S, c) of rows and labels divided by their sigma; S where i <= j only."""
        sigma_r = np.concatenate([np.full(len(one.y), one.sigma(noise)) for one in self.labels])
        for family, span in self.spans.items():
            a_rm = self.w_rm[span] / sigma_r[span, None]
            # Transposed, its rows are LAPACK's columns, and the lower part is the upper one.
            s = dsyrk(1.0, a_rm.T, lower=1).T
            yield family, s, (self.y_r[span] / sigma_r[span]) @ a_rm

    def mean_squares(self, a_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean squared residuals of each of `labels` with weights a_m, and the residuals (R,),
        each times its share."""
        r = self.y_r - self.w_rm @ a_m
        shared = r * self.share_r
        return np.bincount(self.label_r, r * shared, len(self.labels)), shared


def dealt(sampled: Sequence[Sampled], number: int, few: int) -> list[Part]:
    """The sample dealt out, each config_type over all parts; at most `number` of them, none empty.

    few: structures of the sample below which a config_type has no line of its own.
    """
    names = Counter(one.structure.config_type for one in sampled)
    piles: list[list[tuple[Labels, Line, float]]] = [[] for _ in range(number)]
    for k, one in enumerate(sorted(sampled, key=lambda one: one.structure.config_type)):
        name = one.structure.config_type
        for labels in one.labels:
            kind = labels.group.kind
            size = len(one.structure.atoms) if kind == "energy" else 1
            line = Line(kind, name if names[name] >= few else "")
            piles[k % number].append((labels, line, 1.0 / (len(labels.y) * size**2)))
    return [_part(pile) for pile in piles if pile]


def _part(pile: list[tuple[Labels, Line, float]]) -> Part:
    pile = sorted(pile, key=lambda item: _family(item[0]))
    each = tuple(labels for labels, _, _ in pile)
    lengths = [len(labels.y) for labels in each]
    spans: dict[Family, slice] = {}
    start = 0
    for labels, length in zip(each, lengths):
        begun = spans.get(_family(labels), slice(start, start))
        spans[_family(labels)] = slice(begun.start, start + length)
        start += length
    return Part(
        labels=each,
        w_rm=np.concatenate([labels.rows for labels in each]),
        y_r=np.concatenate([labels.y for labels in each]),
        spans=spans,
        lines=tuple(line for _, line, _ in pile),
        label_r=np.repeat(np.arange(len(pile)), lengths),
        share_r=np.repeat([share for _, _, share in pile], lengths),
    )


def _family(labels: Labels) -> Family:
    return labels.group.kind, labels.group.own
