"""What a fitted model does where atoms come too close, or apart: forces, sigma, MD.

    python benchmarks/short_range.py [SET...] [--data DIR] [--every N]

For each set a model with the one SOAP and the points that `gapy fit` chooses, zeta 2:
- pairs: of each pair of species, up to where they repel, from 0.01 A in steps of 0.01, beside where
  ZBL ends and the shortest distance of the data; the force sigma where they begin to attract;
- pulled: each pair from the data's longest nearest-neighbour distance to 0.5 A before the cutoff:
  the least sigma as a share of the largest so far;
- gas: random atoms, none closer than ZBL's outer distance, at half the density of the largest
  structure, squeezed: that structure at 0.4 of
  its volume, heated: that structure at 3000 K, 2000 steps of NVT each: how the run ended with the
  limits of `gapy md`, and without those on sigma and contacts, with the shortest distance seen.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from accuracy import structures_of
from ase import Atoms
from ase.data import chemical_symbols
from ase.io import read
from ase.neighborlist import neighbor_list
from sums import SETS

import gapy
from gapy.descriptors import auto_soap

STEPS = 2000
SCALE = 0.4 ** (1 / 3)


def fitted(structures) -> gapy.Potential:
    """The SOAP and points that `gapy fit` chooses, zeta 2, learnt noise."""
    chosen = auto_soap(structures)
    gp = gapy.SparseGPRegressor(chosen.soap, chosen.n_inducing, chosen.zeta, optimize=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gp.fit(structures).potential_


def dimer(a: int, b: int, r: float) -> Atoms:
    return Atoms([a, b], [[0, 0, 0], [r, 0, 0]])


def pairs(potential) -> None:
    """A line for each pair of species."""
    contacts, (zbl,) = potential.contacts, potential.baselines
    species = list(potential.species)
    for a, b in combinations_with_replacement(species, 2):
        shortest = contacts.least_ss[species.index(a), species.index(b)]
        outer = zbl.switch(a, b)[1]
        repel, sigma = 0.0, np.nan
        for r in np.arange(0.01, max(outer, shortest) + 0.01, 0.01):
            out = potential.evaluate(dimer(a, b, r), force_std="cheap")
            if out.forces[1, 0] <= 0.0:
                sigma = out.forces_std.max()
                break
            repel = r
        largest = contacts.nearest_s[[species.index(a), species.index(b)]].max()
        end = potential.terms[0].descriptor.cutoff - 0.5
        seen, share = 0.0, 1.0
        for r in np.arange(largest, end, 0.05):
            now = potential.evaluate(dimer(a, b, r), force_std="cheap").forces_std.max()
            seen = max(seen, now)
            share = min(share, now / seen)
        names = f"{chemical_symbols[a]}-{chemical_symbols[b]}"
        print(
            f"  {names:6} repels to {repel:.2f} A (ZBL to {outer:.2f}, data from {shortest:.2f}); "
            f"sigma there {sigma:.2f} eV/A, largest in the data "
            f"{potential.calibration.largest:.2f}; pulled: at least {share:.2f} of the largest so "
            "far"
        )


def apart(atoms, least: float, rng) -> np.ndarray:
    """Random positions (n, 3) A in the cell, none closer than `least` to another."""
    placed = atoms[:0].copy()
    while len(placed) < len(atoms):
        trial = placed + Atoms("X", scaled_positions=rng.random((1, 3)), cell=atoms.cell)
        if len(placed) == 0 or trial.get_distances(-1, range(len(placed)), mic=True).min() > least:
            placed = trial
    return placed.positions


def runs(potential, structures) -> None:
    """Three runs of MD that begin where nothing is known."""
    largest = max((s.atoms for s in structures), key=len).copy()
    rng = np.random.default_rng(0)
    gas = largest.copy()
    if not gas.pbc.all():
        gas.set_cell(np.ptp(gas.positions, axis=0) + 6.0)
        gas.pbc = True
    gas.set_cell(gas.cell * 2 ** (1 / 3), scale_atoms=True)
    gas.positions = apart(gas, potential.baselines[0].cutoff, rng)
    squeezed = largest.copy()
    if squeezed.pbc.any():
        squeezed.set_cell(squeezed.cell * SCALE, scale_atoms=True)
    else:
        squeezed.positions *= SCALE
    starts = {"gas": (gas, 300), "squeezed": (squeezed, 300), "heated": (largest, 3000)}
    for name, (atoms, kelvin) in starts.items():
        said = []
        for limits in ({}, {"max_force_std": np.inf, "min_distance": 0.0}):
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder) / "run"
                calculator = potential.calculator(uncertainty="cheap")
                try:
                    result = gapy.run_md(
                        atoms, calculator, place, temperature=kelvin, steps=STEPS, timestep=0.5,
                        seed=1, **limits,
                    )  # fmt: skip
                except gapy.errors.GapyError as error:
                    said.append(f"refused ({str(error)[:60]}...)")
                    continue
                frames = read(place / "md.extxyz", ":")
                near = min(neighbor_list("d", f, 4.0).min(initial=4.0) for f in frames)
            said.append(f"{result.status} at step {result.n_steps}, shortest {near:.2f} A")
        print(f"  {name:9} {said[0]}; without limits on sigma and contacts: {said[1]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="directory of the public sets")
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--every", type=int, help="every how many-th structure")
    given = parser.parse_args()
    for name in given.sets or SETS:
        source, every, _ = SETS[name]
        structures = list(structures_of(source, given.data))[:: given.every or every]
        potential = fitted(structures)
        print(name, flush=True)
        pairs(potential)
        runs(potential, structures)


if __name__ == "__main__":
    main()
