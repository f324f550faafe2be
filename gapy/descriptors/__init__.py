"""Descriptors: compiled SOAP, and any other local descriptor of dscribe."""

from gapy.descriptors.soap import CompiledSOAP, smooth_soap

__all__ = ["CompiledSOAP", "smooth_soap"]
