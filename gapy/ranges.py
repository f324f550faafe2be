"""Numbers that a fit can be asked to work with; light, since the command line needs it at once."""

from __future__ import annotations

import math
from numbers import Real

from gapy.errors import GapyError

SIGMA = (1e-12, 1e12)
"""Noise and prior scale: no label is known to more digits, and their ratio, squared, has to leave
room in the range of double precision."""
UNITS = {"delta": "eV", "energy": "eV/atom", "forces": "eV/A", "stress": "eV/A^3"}
DENSITY_WIDTH = (0.01, 10.0)
"""Width of atomic densities, A: from far below a nucleus's thermal motion to beyond any cutoff."""
LARGEST = {"energy": 1e7, "forces": 1e6, "stress": 1e4}
"""Labels, eV/atom, eV/A, eV/A^3: all electrons of the heaviest atoms bind 2e6 eV; two silicon
nuclei 0.1 A apart repel with 3e5 eV/A; 1e4 eV/A^3 is 1.6 million GPa."""
LARGEST_LENGTH = 1e5
"""Positions and cell vectors, A: 10 micrometres."""


def within(value, limits: tuple[float, float]) -> bool:
    """Whether `value` is a number within limits, ends included."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return math.isfinite(value) and limits[0] <= value <= limits[1]


def require_scale(name: str, value, kind: str) -> float:
    """`value` as a float, or GapyError outside SIGMA; kind: "delta" or that of a label."""
    if not within(value, SIGMA):
        raise GapyError(
            f"{name}: expected a number from {SIGMA[0]:g} to {SIGMA[1]:g} {UNITS[kind]}, where a "
            f"fit in double precision works, got {value!r}; correct it"
        )
    return float(value)
