"""Nothing is subtracted twice: which baselines exclude each other."""

from __future__ import annotations

from collections.abc import Sequence

from gapy.baselines.protocol import Baseline
from gapy.errors import GapyError

SAME = (
    ("the repulsion of nuclei", ("zbl",)),
    ("electrostatics", ("coulomb", "qeq")),
    ("dispersion", ("dispersion",)),
)
"""Physics that is in the energy once, and the kinds of baselines that are it."""


def require_once(baselines: Sequence[Baseline | str]) -> None:
    """Raise GapyError if two baselines are the same physics; a word counts as the kind it names."""
    kinds = [one if isinstance(one, str) else one.kind for one in baselines]
    for physics, names in SAME:
        if len(found := [kind for kind in kinds if kind in names]) > 1:
            raise GapyError(
                f"baselines: expected {physics} once, got it from {' and '.join(found)}; leave "
                "all but one out"
            )
