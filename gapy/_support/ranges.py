"""Ranges of settings and labels: beyond them a value is a slip, and arithmetic overflows.

Without numpy: the command line checks its options before it imports anything.
"""

from __future__ import annotations

import math
from numbers import Real

from gapy.errors import GapyError

SCALE = (1e-12, 1e12)
"""Noise and prior scale: no label is known to more digits, and their ratio, squared, has to leave
room in the range of double precision."""
RANGES = {
    "r_cut": (0.1, 1e3, "A"),
    "sigma": (0.01, 10.0, "A"),
    "delta": (*SCALE, "eV"),
    "sigma_energy": (*SCALE, "eV/atom"),
    "sigma_forces": (*SCALE, "eV/A"),
    "sigma_stress": (*SCALE, "eV/A^3"),
    "n_max": (1, 100, ""),
    "l_max": (0, 100, ""),
    "zeta": (1, 1000, ""),
    "n_inducing": (1, 10**6, ""),
}
"""Least value, largest value and unit of settings of a fit. Widths of atomic densities, sigma, go
from far below a nucleus's thermal motion to beyond any cutoff."""

LARGEST = {"energy": 1e7, "forces": 1e6, "stress": 1e4}
"""Labels, eV/atom, eV/A, eV/A^3: all electrons of the heaviest atoms bind 2e6 eV; two silicon
nuclei 0.1 A apart repel with 3e5 eV/A; 1e4 eV/A^3 is 1.6 million GPa."""
LARGEST_LENGTH = 1e5
"""Positions and cell vectors, A: 10 micrometres."""


def require_range(name: str, value, shown: str | None = None) -> None:
    """GapyError unless `value` is a number within the range of the setting `name`.

    shown: the name in the message, if it is another.
    """
    least, most, unit = RANGES[name]
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and least <= value <= most):
        raise GapyError(
            f"{shown or name}: expected {least:g} to {most:g}{unit and f' {unit}'}, got {value!r}; "
            "correct the value"
        )
