"""Checks of a regressor's settings before any work is done."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np

from gapy.errors import GapyError


def check_settings(gp) -> None:
    """Refuse before any work what would fail, or be cut to an integer, later."""
    wanted = gp.n_inducing
    counts = [("zeta", gp.zeta), ("threads", gp.threads)]
    counts += [
        ("n_inducing", n) for n in (wanted.values() if isinstance(wanted, Mapping) else [wanted])
    ]
    for name, value in counts:
        if not (isinstance(value, Real) and value >= 1 and value % 1 == 0):
            raise GapyError(f"{name}: expected an integer of at least 1, got {value!r}")
    if not (isinstance(gp.delta, Real) and 0.0 < gp.delta < np.inf):
        raise GapyError(f"delta: expected a positive finite number (eV), got {gp.delta!r}")
    if not (isinstance(gp.seed, Integral) and gp.seed >= 0):
        raise GapyError(
            f"seed: expected a non-negative integer, so that a fit can be repeated, got {gp.seed!r}"
        )
