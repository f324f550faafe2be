"""Time of a force call per atom, measured beside a fixed piece of work.

Times are those of the processor, so that other programs that it has to serve count little. On an
idle machine they are those of the clock.
"""

from __future__ import annotations

import time

import numpy as np

from gapy._support.threads import blas_threads
from gapy.structures import LabelledStructure

N_ATOMS = 200
"""Atoms of the structure that is timed, at least, if it is periodic and can be repeated."""
ROUNDS, TURN = 9, 0.04
"""Turns of each of the two, and how long one lasts at least, s of the processor."""
REFERENCE_SHAPE = (128, 324, 1000)
"""Atoms, features and inducing points of the reference: two matrix products of inference."""


def timing_structure(structures: list[LabelledStructure]):
    """The largest structure, repeated along its periodic directions to about 200 atoms."""
    largest = max(structures, key=lambda s: len(s.atoms)).atoms
    atoms = largest.copy()
    while len(atoms) < N_ATOMS and atoms.pbc.any():
        lengths = np.where(atoms.pbc, atoms.cell.lengths(), np.inf)
        repeat = np.ones(3, dtype=int)
        repeat[int(np.argmin(lengths))] = 2
        atoms = atoms.repeat(repeat)
    return atoms


def neighbours_within(atoms, r_cut: float) -> float:
    """Mean number of neighbours of an atom."""
    from gapy.geometry.neighbours import neighbour_list

    return float(
        len(neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, r_cut).j_p) / len(atoms)
    )


def force_cost(potential, atoms) -> tuple[float, float]:
    """(us per atom of a force call, the same over that of the reference), one thread.

    The reference is 4 x 324 x 1000 floating point operations per atom in two matrix products.
    Calls are taken in turns with it; the ratio is the median over the turns, so that it holds also
    on a machine whose speed varies.
    """
    atoms = atoms.copy()
    calculator = potential.calculator(threads=1)
    rng = np.random.default_rng(0)
    places = [atoms.positions + rng.normal(scale=0.01, size=(len(atoms), 3)) for _ in range(8)]
    turn = 0

    def forces() -> int:
        nonlocal turn
        turn += 1
        atoms.positions[:] = places[turn % len(places)]
        calculator.calculate(atoms, ["energy", "forces"])
        return len(atoms)

    n, d, m = REFERENCE_SHAPE
    x_id, x_sd = rng.normal(size=(n, d)), rng.normal(size=(m, d))

    def reference() -> int:
        (x_id @ x_sd.T) @ x_sd
        return n

    with blas_threads(1):
        own, other = _in_turns(forces, reference)
    return float(np.median(own)), float(np.median(own / other))


def _in_turns(*calls) -> list[np.ndarray]:
    """us per atom of each turn of each call; a call returns its number of atoms."""
    for call in calls:
        call()  # compiles, fills caches
    times = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, seen in zip(calls, times):
            began = now = time.process_time()
            n_atoms = 0
            while now < began + TURN:
                n_atoms += call()
                now = time.process_time()
            seen.append(1e6 * (now - began) / n_atoms)
    return [np.array(seen) for seen in times]
