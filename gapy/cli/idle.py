"""Options of a fit that would do nothing, for want of labels or beside another option."""

from __future__ import annotations

from gapy.cli.settings import FitSettings
from gapy.errors import GapyError

KINDS = {"sigma_energy": "energy", "sigma_forces": "forces", "sigma_stress": "stress"}


def refuse_idle_keys(settings: FitSettings) -> None:
    """GapyError for a key or noise of stresses that are not fitted."""
    for name in ("stress_key", "virial_key", "sigma_stress"):
        if not settings.stress and getattr(settings, name) is not None:
            flag = name.replace("_", "-")
            raise GapyError(f"{flag}: has no effect with no-stress; leave one of the two out")


def refuse_idle_noise(settings: FitSettings, structures) -> None:
    """GapyError for a noise of labels or of a config_type that no structure has."""
    from gapy.fit.parameter_checks import check_overrides, label_kinds
    from gapy.gp.noise import Noise

    found = set().union(*label_kinds(structures).values())
    for name, kind in KINDS.items():
        if getattr(settings, name) is not None and kind not in found:
            raise GapyError(
                f"{name.replace('_', '-')}: has no effect, expected structures with {kind} labels, "
                f"got only {', '.join(sorted(found))}; leave it out or give the {kind} key"
            )
    check_overrides(Noise(overrides=settings.noise).overrides, structures, settings.stress)
