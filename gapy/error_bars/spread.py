"""By how much left-out errors exceed the posterior standard deviation of what was left out.

The posterior takes labels as independent and the model as right, so that its spread is too small
for whatever the model cannot express. With the left-out errors e and the posterior variances v of
the labels of one kind,

    factor = q_90(|e| / v^(1/2)) / 1.645

widens the spread of posterior samples until 90 % of such errors lie within 1.645 of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from gapy.error_bars.coverage import COVERED, WITHIN
from gapy.error_bars.energy import FEWEST
from gapy.gp.noise import KINDS

VANISHING = 1e-6
"""Posterior standard deviation of a label, in its noise, that is rounding: zero by symmetry."""


class LeftOutSpread:
    """Ratios of left-out errors to their posterior standard deviation, as results pass by."""

    def __init__(self) -> None:
        self._ratios: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}

    def watch(self, results: Iterable) -> Iterator:
        """The same (sampled, stack, left out), each noted."""
        for one, stack, out in results:
            for kind in stack.where:
                variance = stack.of(kind, out.label_variance)
                known = variance > (VANISHING * stack.of(kind, stack.sigma)) ** 2
                error = np.abs(stack.of(kind, out.residual))[known]
                self._ratios[kind].append(error / np.sqrt(variance[known]))
            yield one, stack, out

    def factors(self) -> dict[str, float]:
        """Of each label kind with at least FEWEST labels; no unit."""
        out = {}
        for kind, parts in self._ratios.items():
            ratios = np.concatenate([np.empty(0), *parts])
            if len(ratios) >= FEWEST:
                out[kind] = float(np.quantile(ratios, COVERED)) / WITHIN
        return out


def inflation(metadata: Mapping) -> float | None:
    """Factor on the spread of posterior samples: the largest of a model's kinds, at least 1.

    None for a model that was fitted without left-out structures, or before there were factors.
    """
    factors = metadata.get("left_out_spread", {})
    return max(1.0, *factors.values()) if factors else None
