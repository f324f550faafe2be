"""Fits on many workers (extra `dask`): structures read in parts, states merged in a tree."""

from gapy.distributed.fitting import fit

__all__ = ["fit"]
