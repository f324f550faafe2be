"""What labels lose before the fit and predictions get back after it."""

from gapy.baselines.e0 import ISOLATED_SPREAD, MODES, isolated_atom_energies, parse_e0

__all__ = ["ISOLATED_SPREAD", "MODES", "isolated_atom_energies", "parse_e0"]
