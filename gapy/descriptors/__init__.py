"""Descriptors: compiled SOAP, and any other local descriptor of dscribe."""

from gapy.descriptors.soap import CompiledSOAP, smooth_soap
from gapy.errors import GapyError

__all__ = ["CompiledSOAP", "as_descriptor", "smooth_soap"]


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
