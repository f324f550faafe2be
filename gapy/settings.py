"""Checks of a regressor's settings before any work is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np

from gapy.errors import GapyError
from gapy.ranges import RANGES, require_range
from gapy.sizes import require_fit


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
    for name, value in (*counts, *_given(gp)):
        if name in RANGES and isinstance(value, Real) and value > 0:
            require_range(name, value)
    if not (isinstance(gp.seed, Integral) and gp.seed >= 0):
        raise GapyError(
            f"seed: expected a non-negative integer, so that a fit can be repeated, got {gp.seed!r}"
        )


def _given(gp):
    """(name of the range, value) of the prior scale and of every noise that was given."""
    sigmas = ("sigma_energy", "sigma_forces", "sigma_stress")
    yield from ((name, getattr(gp, name)) for name in ("delta", *sigmas))
    overrides = gp.noise_overrides if isinstance(gp.noise_overrides, Mapping) else {}
    for sigmas in overrides.values():
        if isinstance(sigmas, Mapping):
            yield from ((f"sigma_{kind}", value) for kind, value in sigmas.items())


def check_size(gp, descriptors, structures) -> None:
    """Refuse a fit that the memory cannot hold."""
    present = Counter(int(z) for s in structures for z in s.atoms.numbers)
    for descriptor in descriptors:
        wanted = gp.n_inducing
        if isinstance(wanted, Mapping):
            wanted = max(wanted.values())
        n_points = sum(min(int(wanted), n) for n in present.values())
        require_fit(n_points, descriptor.n_features)


def check_periodicity(descriptor, structures) -> None:
    """Refuse periodic structures for a descriptor that would overlook their images."""
    if descriptor.periodic:
        return
    for s in structures:
        if s.atoms.pbc.any():
            raise GapyError(
                f"descriptor: periodic=False, but {s.source} frame {s.index} has "
                f"pbc={s.atoms.pbc.tolist()}; make the descriptor with periodic=True"
            )
