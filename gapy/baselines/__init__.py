"""What labels lose before the fit and predictions get back after it.

A baseline is a frozen record with settings; `total` sums several of them over a `System`.
"""

from gapy.baselines.e0 import (
    ISOLATED_SPREAD,
    MODES,
    Composition,
    composition_of,
    isolated_atom_energies,
    parse_e0,
)
from gapy.baselines.free_atoms import FreeAtoms
from gapy.baselines.kinds import KINDS, from_settings
from gapy.baselines.protocol import (
    Baseline,
    Contribution,
    PairList,
    System,
    largest_cutoff,
    total,
)
from gapy.baselines.structure import baseline_of, system_of
from gapy.baselines.zbl import ZBL

__all__ = [
    "ISOLATED_SPREAD",
    "KINDS",
    "MODES",
    "ZBL",
    "Baseline",
    "Composition",
    "Contribution",
    "FreeAtoms",
    "PairList",
    "System",
    "baseline_of",
    "composition_of",
    "from_settings",
    "isolated_atom_energies",
    "largest_cutoff",
    "parse_e0",
    "system_of",
    "total",
]
