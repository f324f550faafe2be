"""Options of a fit that would do nothing, for want of labels or beside another option."""

from __future__ import annotations

from gapy.cli.settings import FitSettings
from gapy.errors import GapyError
from gapy.fit.term_tables import refuse_idle

KINDS = {"sigma_energy": "energy", "sigma_forces": "forces", "sigma_stress": "stress"}


def refuse_idle_keys(settings: FitSettings) -> None:
    """GapyError for a key or noise of stresses that are not fitted."""
    refuse_idle(settings)
    for name in ("stress_key", "virial_key", "sigma_stress"):
        if not settings.stress and getattr(settings, name) is not None:
            flag = name.replace("_", "-")
            raise GapyError(f"{flag}: has no effect with no-stress; leave one of the two out")


def refuse_idle_noise(settings: FitSettings, structures) -> None:
    """GapyError for a noise of labels or of a config_type that no structure has."""
    from gapy.fit.parameter_checks import label_kinds

    refuse_idle_among(settings, label_kinds(structures))


def refuse_idle_among(settings: FitSettings, kinds: dict[str, set[str]]) -> None:
    """The same for structures with these kinds of labels, by config_type."""
    from gapy.fit.parameter_checks import check_overrides_among
    from gapy.gp.noise import Noise

    found = set().union(*kinds.values())
    for name, kind in KINDS.items():
        if getattr(settings, name) is not None and kind not in found:
            raise GapyError(
                f"{name.replace('_', '-')}: has no effect, expected structures with {kind} labels, "
                f"got only {', '.join(sorted(found))}; leave it out or give the {kind} key"
            )
    left_out = set() if settings.stress else {"stress"}
    fitted = {name: held - left_out for name, held in kinds.items()}
    check_overrides_among(Noise(overrides=settings.noise).overrides, fitted)
