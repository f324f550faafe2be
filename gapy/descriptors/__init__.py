"""Descriptors: compiled SOAP, and any other local descriptor of dscribe."""

from gapy.descriptors.auto import AutoSOAP, auto_soap
from gapy.descriptors.base import known_species
from gapy.descriptors.soap import CompiledSOAP, smooth_soap
from gapy.errors import GapyError

__all__ = [
    "AutoSOAP",
    "CompiledSOAP",
    "as_descriptor",
    "auto_soap",
    "descriptor_from_settings",
    "known_species",
    "smooth_soap",
]

KINDS = ("SOAP", "ACSF", "LMBTR")


def as_descriptor(descriptor):
    """A gapy descriptor from what a user states: dscribe objects are wrapped."""
    if hasattr(descriptor, "derivative_block"):
        return descriptor
    name = type(descriptor).__name__
    if name == "SOAP":
        return CompiledSOAP(descriptor)
    if hasattr(descriptor, "create") and hasattr(descriptor, "derivatives"):
        from gapy.descriptors.generic import GenericDescriptor

        return GenericDescriptor(descriptor)
    raise GapyError(
        f"descriptor: expected a SOAP or another local descriptor of dscribe, got {name}"
    )


def descriptor_from_settings(kind: str, settings: dict):
    """A gapy descriptor from its `kind` (class name in dscribe) and `settings()`, read from JSON.

    Raises
    ------
    GapyError : an unknown kind, or settings that dscribe refuses
    """
    if kind not in KINDS:
        raise GapyError(f"descriptor kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    import dscribe.descriptors

    try:
        stated = getattr(dscribe.descriptors, kind)(**_as_dscribe_takes_them(settings))
    except (TypeError, ValueError) as error:
        raise GapyError(f"descriptor settings: {kind} refuses them: {error}") from error
    return as_descriptor(stated)


def _as_dscribe_takes_them(settings: dict) -> dict:
    """Settings from JSON, mended where dscribe does not take back what it hands out.

    Species weights are keyed as the species are (JSON has only text keys), and no parameters of
    ACSF are None instead of an empty list.
    """
    out = {name: None if value == [] else value for name, value in settings.items()}
    compression = out.get("compression") or {}
    weights = compression.get("species_weighting")
    if weights is not None:
        by_text = {str(species): species for species in out["species"]}
        named = {by_text.get(key, key): weight for key, weight in weights.items()}
        out["compression"] = {**compression, "species_weighting": named}
    return out
