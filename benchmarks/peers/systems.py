"""Structures and potentials that several rows share."""

from __future__ import annotations

import sys
from dataclasses import replace

from ase.build import bulk
from ase.io import read

import gapy
import gapy.errors
from gapy.descriptors import smooth_soap
from gapy.structures import from_atoms
from peers.options import R_CUT, SIGMA_ENERGY, SIGMA_FORCES


def silicon(repeats, rattle=0.05, seed=2):
    """Rattled diamond silicon, 8 atoms in each of repeats^3 (or repeats = (a, b, c)) cells."""
    atoms = bulk("Si", cubic=True).repeat(repeats)
    atoms.rattle(rattle, seed=seed)
    return atoms


def silicon_frames(options) -> list:
    """Labelled silicon: mlearn's training set, else the shipped one."""
    path = options.file("mlearn/Si_train.xyz")
    if path is not None:
        return read(path, ":")
    from gapy.data import frames

    return frames("si", "train")


def some(frames, n_atoms: int) -> list:
    """Frames spread over the set with about n_atoms atoms together.

    A set that is too small is filled up with moved copies under the labels of the originals: bad
    labels, but environments enough for the number of inducing points that sets the cost.
    """
    have = sum(map(len, frames))
    out = frames[:: max(have // n_atoms, 1)]
    for k in range(1, -(-n_atoms // have)):
        for atoms in frames:
            moved = atoms.copy()
            moved.rattle(0.03, seed=k)
            out.append(moved)
    return out


def quick_frames(options) -> list:
    """Silicon for a quick fit: about three environments for each inducing point."""
    return some(silicon_frames(options), 3 * options.n_inducing)


def soap_of(options, species=("Si",), r_cut=R_CUT):
    """The SOAP of all rows."""
    return smooth_soap(list(species), r_cut=r_cut, n_max=options.size, l_max=options.size)


def fitted(frames, soap, n_inducing: int, *, zeta=4, forces=False):
    """A potential of a given size; the cost of a call does not depend on the labels fitted."""
    structures = from_atoms(frames)
    if not forces:
        structures = [replace(s, forces=None) for s in structures]
    gp = gapy.SparseGPRegressor(
        soap, n_inducing, zeta, sigma_energy=SIGMA_ENERGY, sigma_forces=SIGMA_FORCES,
        fit_stress=False,
    )  # fmt: skip
    potential = gp.fit(structures).potential_
    found = [len(x) for x in potential.terms[0].inducing]
    if min(found) < n_inducing:
        raise RuntimeError(f"inducing points: wanted {n_inducing} per species, got {found}")
    return potential


def silicon_potential(options):
    """A real fit to energies and forces of some frames, made once in the work directory."""
    path = options.cached("si.gapy")
    if path.exists():
        try:
            return gapy.load(path)
        except gapy.errors.GapyError as error:
            print(f"{error}: fitting again", file=sys.stderr)
    frames = quick_frames(options)
    fitted(frames, soap_of(options), options.n_inducing, forces=True).save(path)
    return gapy.load(path)
