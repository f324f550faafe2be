"""`pair_style gapy` in LAMMPS: the engine on the arrays of each of its domains (docs/lammps.md)."""

from importlib import import_module

_HOME = {
    "attach": "gapy.engines.lammps.session",
    "open_lammps": "gapy.engines.lammps.session",
}

__all__ = list(_HOME)


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'gapy.engines.lammps' has no attribute {name!r}")
