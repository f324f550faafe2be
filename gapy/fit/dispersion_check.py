"""Whether the labels hold the dispersion that a fit takes off them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from gapy.baselines import Baseline, Dispersion
from gapy.fit.charge_scale import CLEARLY, FEWEST, preferred_scale, scale_sample
from gapy.structures import LabelledStructure, StructureWarning, is_isolated_atom

HELD = 0.5
"""Share of the dispersion that left-out errors prefer of labels that hold some."""


def warn_of_dispersion(
    regressor, baselines: Sequence[Baseline], structures: Sequence[LabelledStructure]
) -> None:
    """Say so where left-out errors clearly prefer about no dispersion beneath the process.

    As for the scale of charges (`gapy.fit.charge_scale`), of a bounded sample; fewer structures
    than that needs, or a standard error that leaves it open, say nothing.
    """
    found = next((b for b in baselines if isinstance(b, Dispersion)), None)
    if found is None:
        return
    sample = scale_sample(structures, int(regressor.seed))
    if len(sample) < FEWEST:
        return
    alone = [s for s in structures if is_isolated_atom(s)]
    share = preferred_scale(regressor, baselines, found, sample, alone)
    # A share far from 0 on either side is what the model cannot express, not an answer.
    if abs(share.value) + CLEARLY * share.error < HELD:
        warnings.warn(
            f"baseline {found.kind}: expected labels that hold {found.method} of "
            f"{found.functional}, their left-out errors prefer {share.value:.2f} times it, with a "
            f"standard error of {share.error:.2g}; leave the baseline out, or add it to the labels",
            StructureWarning,
            stacklevel=3,
        )
