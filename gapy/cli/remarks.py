"""What is remarkable about a model, said as a warning."""

from __future__ import annotations

import warnings

SHOWN = {"energy": (1e3, "meV/atom"), "forces": (1.0, "eV/A"), "stress": (1.0, "eV/A^3")}


def remark_on_noise(outliers) -> None:
    """Warn of each entry of `gapy.gp.noise.outliers`."""
    for group in outliers:
        scale, unit = SHOWN[group["kind"]]
        sigma, others = scale * group["sigma"], scale * group["others"]
        warnings.warn(
            f"{group['config_type']}: learnt noise of the {group['kind']} labels {sigma:.3g} "
            f"{unit}, {sigma / others:.1f} times that of the other config_types ({others:.3g}): "
            "the model hardly fits them; check these labels, or give more inducing points or "
            "structures",
            stacklevel=2,
        )
