"""Settings that a fit takes once: what goes on from it must not be asked for others.

Inducing points, noise, e0 and baselines stay when structures are added, so that changing their
settings afterwards would do nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gapy.errors import GapyError
from gapy.fit.term_settings import term_settings

TAKEN_ONCE = (
    "n_inducing", "zeta", "delta", "selection", "sigma_energy", "sigma_forces", "sigma_stress",
    "noise_overrides", "e0", "fit_stress", "seed",
)  # fmt: skip


def taken_once(regressor) -> dict[str, Any]:
    """The settings by their name, descriptors and baselines as plain data, none of them shared."""
    terms = term_settings(regressor.descriptor)
    described = [term.completed(regressor).descriptor for term in terms]
    out = {
        # In one: what is a term's own is no setting of the regressor.
        "descriptor": [(d.kind, d.settings(), t.to_dict()) for d, t in zip(described, terms)],
        "baselines": [
            b if isinstance(b, str) else (b.kind, b.settings()) for b in regressor.baselines
        ],
    }
    for name in TAKEN_ONCE:
        value = getattr(regressor, name)
        out[name] = _copy(value) if isinstance(value, Mapping) else value
    return out


def require_as_fitted(regressor, *, but: Collection[str] = ()) -> None:
    """Raise GapyError, naming each, for settings that are not those of the fit any more.

    Nothing is known of a regressor whose state came from elsewhere, which is not refused. but:
    settings that may differ.
    """
    before = getattr(regressor, "fitted_with_", None)
    if before is None:
        return
    now = taken_once(regressor)
    differing = [name for name in now if name not in but and now[name] != before[name]]
    if differing:
        raise GapyError(
            f"{', '.join(differing)}: expected as in the fit, whose inducing points, noise, e0 and "
            f"baselines stay, got {', '.join(_told(n, before[n], now[n]) for n in differing)}; set "
            "it back, or call fit, which starts anew"
        )


def _copy(value: Mapping) -> dict:
    return {k: _copy(v) if isinstance(v, Mapping) else v for k, v in value.items()}


def _told(name: str, before, now) -> str:
    plain = all(v is None or isinstance(v, bool | int | float | str) for v in (before, now))
    return f"{name}={now!r} instead of {before!r}" if plain else f"another {name}"
