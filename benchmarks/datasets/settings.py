"""Plane-wave DFT settings, one set of numbers for every frame of a data set.

Units: cutoffs and smearing in Ry (what pw.x reads), k-point spacing in 1/A with
the factor 2 pi in the reciprocal lattice vectors.
"""

import numpy as np

SETTINGS = {
    "si": {
        "pseudopotentials": {"Si": "Si.pz-vbc.UPF"},
        "ecutwfc": 20.0,
        "dk": 0.3,
        "degauss": 0.01,
    },
    "alas": {
        "pseudopotentials": {"Al": "Al.pz-vbc.UPF", "As": "As.pz-bhs.UPF"},
        "ecutwfc": 20.0,
        "dk": 0.3,
        "degauss": 0.01,
    },
}


def kgrid(atoms, dk):
    """Return the Gamma-centred grid ceil(|b_i| / dk), with 1 along vacuum.

    dk is in 1/A; a direction is vacuum where ``atoms.pbc`` is False.
    """
    lengths = 2 * np.pi * np.linalg.norm(atoms.cell.reciprocal(), axis=1)
    # A tiny tolerance keeps round-off from adding a point to an exact multiple.
    counts = np.ceil(lengths / dk - 1e-8).astype(int)
    return tuple(int(n) if periodic else 1 for n, periodic in zip(counts, atoms.pbc))


def input_data(settings, natoms):
    """Return the pw.x namelists for one single-point calculation."""
    return {
        "control": {
            "calculation": "scf",
            "tprnfor": True,
            "tstress": True,
            "disk_io": "none",
            "outdir": "./out",
        },
        "system": {
            "ecutwfc": settings["ecutwfc"],
            "occupations": "smearing",
            "smearing": "marzari-vanderbilt",
            "degauss": settings["degauss"],
        },
        "electrons": {
            "conv_thr": 1e-9 * max(natoms, 2),
            "electron_maxstep": 80,
            "mixing_beta": 0.5,
        },
    }
