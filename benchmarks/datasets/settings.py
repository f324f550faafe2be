"""Plane-wave DFT settings, one set of numbers for every frame of a data set.

Units: cutoffs and smearing in Ry (what pw.x reads), k-point spacing in 1/A with
the factor 2 pi in the reciprocal lattice vectors.
"""

import numpy as np

SETTINGS = {
    "si": {
        "pseudopotentials": {"Si": "Si.pz-vbc.UPF"},
        "ecutwfc": 24.0,
        "dk": 0.31,
        # At 0.31 the one-atom cells of the metallic phases are wrong by up to 45 meV, by an
        # amount that jumps where the grid changes.  They are cheap: sample them finely.
        "one_atom_dk": 0.15,
        "degauss": 0.02,
    },
    "alas": {
        "pseudopotentials": {"Al": "Al.pz-vbc.UPF", "As": "As.pz-bhs.UPF"},
        "ecutwfc": 22.0,
        "dk": 0.38,
        # Strained cells of two atoms would have 5 or 6 points along an axis at that spacing, most
        # often unequal ones, which lie 2 to 7 meV/atom lower: elastic constants feel it.
        "grids": {2: (6, 6, 6)},
        "energy_per_cutoff": -0.00456,
        "degauss": 0.02,
    },
    # Spin-polarised, ultrasoft.  Every strained cell of the set has the same grid at this spacing.
    "fe": {
        "pseudopotentials": {"Fe": "Fe.pbe-nd-rrkjus.UPF"},
        "ecutwfc": 25.0,
        "ecutrho": 200.0,
        "dk": 0.60,
        "degauss": 0.03,
        "nspin": 2,
        "valence": 8,
        # From moments set by hand the density needs more damping.
        "mixing_beta": 0.3,
    },
}


def kgrid(atoms, dk):
    """Return the k-point grid ceil(|b_i| / dk), with 1 along vacuum.

    dk is in 1/A; a direction is vacuum where ``atoms.pbc`` is False.
    """
    lengths = 2 * np.pi * np.linalg.norm(atoms.cell.reciprocal(), axis=1)
    # A tiny tolerance keeps round-off from adding a point to an exact multiple.
    counts = np.ceil(lengths / dk - 1e-8).astype(int)
    return tuple(int(n) if periodic else 1 for n, periodic in zip(counts, atoms.pbc))


def kpoints(settings, atoms):
    """Return the k-point grid of a frame.

    That of a crystal's number of atoms where the settings name one (a series of strains then keeps
    one grid), else by the spacing, which is finer for one-atom crystals.
    """
    if len(atoms) in settings.get("grids", {}) and atoms.pbc.all():
        return settings["grids"][len(atoms)]
    name = "one_atom_dk" if len(atoms) == 1 and "one_atom_dk" in settings else "dk"
    return kgrid(atoms, settings[name])


def pulay_stress(settings, atoms):
    """Return what makes the stress of pw.x the slope of its energies: (6,), eV/A^3.

    At a fixed cutoff E_cut the number of plane waves N ~ V E_cut^(3/2) follows the cell, and with
    it what the basis lacks. pw.x prints the derivative at fixed N; the energies of the labels also
    have (2 E_cut / 3 V) dE/dE_cut on the diagonal (Froyen and Cohen, J. Phys. C 19, 2623 (1986)).
    The slope of an atom hardly depends on where the atoms are: `energy_per_cutoff` (eV/Ry), which
    `pulay.py` measures, serves a set; without it there is no correction.
    """
    per_atom = settings.get("energy_per_cutoff", 0.0) * settings["ecutwfc"]
    pressure = 2 / 3 * len(atoms) * per_atom / atoms.get_volume()
    return pressure * np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])


def koffset(grid):
    """Return the half-step shift of the grid: 1 along periodic directions, 0 along vacuum.

    The shifted grid gives silicon forces at 4x4x4 points that are several times
    closer to the converged ones than the Gamma-centred grid of the same size.
    """
    return tuple(int(n > 1) for n in grid)


def input_data(settings, atoms):
    """Return the pw.x namelists for one single-point calculation."""
    with_vacuum = not atoms.pbc.all()
    own = {name: settings[name] for name in ("ecutrho", "nspin") if name in settings}
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
            **own,
            "occupations": "smearing",
            "smearing": "marzari-vanderbilt",
            "degauss": settings["degauss"],
            # A shifted grid on a hexagonal slab lacks the symmetry of the lattice, and
            # pw.x would add the rotated copies of every point: three times the work.
            "nosym": with_vacuum,
        },
        "electrons": {
            "conv_thr": 2e-9 * max(len(atoms), 2),
            "electron_maxstep": 80,
            # How the density is mixed changes the way to self-consistency, not its end.
            "mixing_mode": "local-TF" if with_vacuum else "plain",
            "mixing_beta": settings.get("mixing_beta", 0.5 if with_vacuum else 0.7),
        },
    }
