"""Ranges of settings: beyond them a value is a slip, and arithmetic overflows or takes for ever.

Without numpy: the command line checks its options before it imports anything.
"""

from __future__ import annotations

from gapy.errors import GapyError

RANGES = {
    "r_cut": (0.1, 1e3, "A"),
    "sigma": (0.01, 100.0, "A"),
    "delta": (1e-6, 1e6, "eV"),
    "sigma_energy": (1e-8, 1e8, "eV/atom"),
    "sigma_forces": (1e-8, 1e8, "eV/A"),
    "sigma_stress": (1e-8, 1e8, "eV/A^3"),
    "n_max": (1, 100, ""),
    "l_max": (0, 100, ""),
    "zeta": (1, 1000, ""),
    "n_inducing": (1, 10**6, ""),
}
"""Least value, largest value and unit of settings of a fit."""


def require_range(name: str, value, shown: str | None = None) -> None:
    """GapyError unless `value` is within the range of the setting `name`.

    shown: the name in the message, if it is another.
    """
    least, most, unit = RANGES[name]
    if not least <= value <= most:
        raise GapyError(
            f"{shown or name}: expected {least:g} to {most:g}{unit and f' {unit}'}, got {value!r}; "
            "correct the value"
        )
