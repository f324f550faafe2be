"""Properties that are computed from energies and forces: of crystals, defects, molecules.

Every function takes an ASE calculator and atoms, changes neither, and returns a frozen result whose
`numbers()` are named floats; `gapy.with_error(eos, committee, atoms)` gives each its error bar.
What fails to relax, or leaves its phase on the way, raises PropertyError and is never a number.
"""

from importlib import import_module

_HOME = {
    "relax": "relaxing",
    "eos": "equation_of_state",
    "elastic": "elasticity",
    "phonons": "lattice_dynamics",
    "vacancy": "defects",
    "interstitial": "defects",
    "migration": "vacancy_migration",
    "motion": "at_temperature",
    "melting": "melting_point",
    "surfaces": "surface_energy",
    "stacking": "stacking_fault",
    "phase_order": "competing_phases",
    "prototypes": "competing_phases",
    "geometry": "molecules",
    "vibrations": "molecules",
    "bond_scan": "molecules",
    "torsion_scan": "molecules",
    "bonds": "scans",
    "torsions": "scans",
}

__all__ = list(_HOME)


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"gapy.properties.{_HOME[name]}"), name)
    raise AttributeError(f"module 'gapy.properties' has no attribute {name!r}")
