"""What labels lose before the fit and predictions get back after it.

A baseline is a frozen record with settings; `total` sums several of them over a `System`.
"""

from gapy.baselines.ase_calculator import ASECalculator
from gapy.baselines.below import AUTOMATIC, closer, closest_pairs, made_for, zbl_below
from gapy.baselines.charge_equilibration import ChargeEquilibration
from gapy.baselines.coulomb import Coulomb
from gapy.baselines.dispersion import Dispersion
from gapy.baselines.e0 import (
    ISOLATED_SPREAD,
    MODES,
    Composition,
    composition_of,
    isolated_atom_energies,
    parse_e0,
)
from gapy.baselines.free_atoms import FreeAtoms
from gapy.baselines.kinds import KINDS, from_settings, imports_of
from gapy.baselines.once import require_once
from gapy.baselines.protocol import (
    Baseline,
    Contribution,
    PairList,
    System,
    largest_cutoff,
    total,
)
from gapy.baselines.structure import baseline_of, forces_on_centres, system_of
from gapy.baselines.zbl import ZBL

__all__ = [
    "AUTOMATIC",
    "ISOLATED_SPREAD",
    "KINDS",
    "MODES",
    "ZBL",
    "ASECalculator",
    "Baseline",
    "ChargeEquilibration",
    "Composition",
    "Contribution",
    "Coulomb",
    "Dispersion",
    "FreeAtoms",
    "PairList",
    "System",
    "baseline_of",
    "closer",
    "closest_pairs",
    "composition_of",
    "forces_on_centres",
    "from_settings",
    "imports_of",
    "isolated_atom_energies",
    "largest_cutoff",
    "made_for",
    "parse_e0",
    "require_once",
    "system_of",
    "total",
    "zbl_below",
]
