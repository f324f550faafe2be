"""Descriptors: compiled SOAP, and any other local descriptor of dscribe."""

import numpy as np

from gapy.descriptors.auto import AutoSOAP, auto_soap
from gapy.descriptors.base import known_species, magnetic_elements
from gapy.descriptors.magnetic import MagneticSOAP
from gapy.descriptors.mixed import MixedSOAP
from gapy.descriptors.mixed_total import MixedTotalSOAP
from gapy.descriptors.projected import ProjectedSOAP
from gapy.descriptors.protocol import Descriptor, missing_members
from gapy.descriptors.soap import CompiledSOAP, smooth_soap
from gapy.descriptors.stated import SOAPSettings, soap_of
from gapy.errors import GapyError

__all__ = [
    "AutoSOAP",
    "CompiledSOAP",
    "Descriptor",
    "MagneticSOAP",
    "ProjectedSOAP",
    "SOAPSettings",
    "as_descriptor",
    "auto_soap",
    "descriptor_from_settings",
    "known_species",
    "magnetic_elements",
    "mixed_soap",
    "same_descriptor",
    "smooth_soap",
    "soap_of",
    "unprojected",
]

KINDS = ("SOAP", "ACSF", "LMBTR")
"""Of dscribe. The kind of a magnetic SOAP is its own."""
MIXED: dict[str, type] = {"off": MixedSOAP, "mu1nu1": MixedTotalSOAP}
"""Mixed densities by the compression of the whole SOAP."""


def as_descriptor(descriptor) -> Descriptor:
    """A gapy descriptor from what a user states: dscribe objects are wrapped.

    Raises
    ------
    GapyError : a class instead of an object, a descriptor of whole structures, one that has not
        all of `Descriptor` or could not be loaded again, something else
    """
    if isinstance(descriptor, type):
        raise GapyError(
            f"descriptor: expected a descriptor made with its settings, got the class "
            f"{descriptor.__name__}; call it: {descriptor.__name__}(species=...)"
        )
    if isinstance(descriptor, SOAPSettings):
        return CompiledSOAP(descriptor.made())
    if hasattr(descriptor, "derivative_block"):
        return _checked(descriptor)
    name = type(descriptor).__name__
    if name == "SOAP":
        return CompiledSOAP(descriptor)
    bases = {base.__name__ for base in type(descriptor).__mro__}
    verbs = all(hasattr(descriptor, verb) for verb in ("create", "derivatives", "species"))
    if verbs and "DescriptorGlobal" not in bases:
        from gapy.descriptors.generic import GenericDescriptor

        return GenericDescriptor(descriptor)
    of = "one vector for a whole structure" if "DescriptorGlobal" in bases else "no descriptor"
    raise GapyError(
        f"descriptor: expected a local descriptor of dscribe, one vector for each atom "
        f"({', '.join(KINDS)}), got {name}, {of}; take gapy.descriptors.smooth_soap"
    )


def _checked(descriptor) -> Descriptor:
    """A descriptor that models may hold: one that a model file can give back."""
    name = type(descriptor).__name__
    missing = missing_members(descriptor)
    if missing:
        raise GapyError(
            f"descriptor: expected all of gapy.descriptors.Descriptor, got {name} without "
            f"{', '.join(missing)}; add them"
        )
    if not type(descriptor).__module__.startswith(__name__):
        raise GapyError(
            f"descriptor: expected one that model files know how to make again "
            f"({', '.join(KINDS)} of dscribe), got {name} of {type(descriptor).__module__}, kind "
            f"{descriptor.kind!r}; a model with it could be saved but not loaded"
        )
    return descriptor


def unprojected(descriptor) -> Descriptor:
    """The descriptor without its projection, as a user states it."""
    if isinstance(descriptor, ProjectedSOAP):
        descriptor = descriptor.inner
    return descriptor.whole if isinstance(descriptor, tuple(MIXED.values())) else descriptor


def mixed_soap(whole: CompiledSOAP, mixing) -> CompiledSOAP:
    """The descriptor with its densities mixed, in the way that its compression admits.

    Raises GapyError where none is known, or the mixing does not fit.
    """
    mode = whole.soap.compression.get("mode", "off")
    if mode not in MIXED:
        raise GapyError(f"compression: expected one of {', '.join(MIXED)} to mix, got {mode!r}")
    return MIXED[mode](whole, mixing)


def same_descriptor(one, other) -> bool:
    """Whether two descriptors give the same values for all structures."""
    a, b = one.arrays(), other.arrays()
    same_arrays = a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
    return one.kind == other.kind and one.settings() == other.settings() and same_arrays


def descriptor_from_settings(
    kind: str, settings: dict, mixing=(), bases=(), *, n_species=None, n_features=None
):
    """A gapy descriptor from its `kind` (class name in dscribe), `settings()` and arrays.

    mixing, bases: of a mixed and a projected one, for each species slot, as its `arrays` have them.

    Raises
    ------
    GapyError : an unknown kind, settings that dscribe refuses, or other numbers of species and
        features than `n_species` and `n_features`, if given; before tables are made
    """
    kinds = (*KINDS, MagneticSOAP.kind)
    if kind not in kinds:
        raise GapyError(f"descriptor kind: expected one of {', '.join(kinds)}, got {kind!r}")
    import dscribe.descriptors

    magnetic = None
    if kind == MagneticSOAP.kind:
        kind, settings = "SOAP", dict(settings)
        magnetic = settings.pop("magnetic")
        n_features = None  # dscribe counts those without moments
    try:
        stated = getattr(dscribe.descriptors, kind)(**_as_dscribe_takes_them(settings))
        sizes = len(set(stated.species)), int(stated.get_number_of_features())
    # Settings of a wrong type fail in many ways inside dscribe.
    except Exception as error:
        raise GapyError(f"descriptor settings: {kind} refuses them: {error!r}") from error
    for name, n, wanted in zip(("species", "features"), sizes, (n_species, n_features)):
        if wanted not in (None, n):
            raise GapyError(f"descriptor settings: expected {wanted} {name}, got {n}")
    made = as_descriptor(stated) if magnetic is None else MagneticSOAP(stated, magnetic)
    made = mixed_soap(made, mixing) if mixing else made
    return ProjectedSOAP(made, bases) if bases else made


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
