"""i-PI: path-integral molecular dynamics, by a socket or inside i-PI's own process."""

from gapy.engines.ipi.client import Address, serve
from gapy.engines.ipi.forces import Forces

__all__ = ["Address", "Forces", "serve"]
