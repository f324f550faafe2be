"""Interleaved repeats and medians."""

from __future__ import annotations

import sys
import time

import numpy as np

WAIT = 0.05
"""Share of waiting above which a figure is not that of an idle machine."""
TURN = 0.15
"""Seconds that a turn lasts at least: one short call would only meet the caches of the others."""


def interleaved(calls, repeat: int, turn: float = TURN) -> dict[str, float]:
    """Median seconds of each call, taken in turns: first, second, ..., first, second, ...

    A call that returns a number timed itself. The first call of each is left out. Says on standard
    error which calls had to wait for a processor: their figures are those of a busy machine.
    """
    for call in calls.values():
        call()
    times = {name: [] for name in calls}
    waits = {name: [] for name in calls}
    for _ in range(repeat):
        for name, call in calls.items():
            ends = time.perf_counter() + turn
            while True:
                began, busy = time.perf_counter(), time.process_time()
                own = call()
                now, busy = time.perf_counter(), time.process_time() - busy
                times[name].append(own if own is not None else now - began)
                waits[name].append(1.0 - busy / (now - began))
                if now >= ends:
                    break
    for name, wait in waits.items():
        if np.median(wait) > WAIT:
            print(f"  {name}: waited {np.median(wait):.0%} of its time", file=sys.stderr)
    return {name: float(np.median(t)) for name, t in times.items()}


def cpu(call):
    """The same call, timed by the CPU seconds of this process, all threads together."""

    def timed() -> float:
        began = time.process_time()
        call()
        return time.process_time() - began

    return timed


def moved(atoms, compute, *, scale=0.01, n=8, seed=1):
    """A call of compute(atoms) after the atoms have moved a little, as from one MD step."""
    rng = np.random.default_rng(seed)
    places = [atoms.positions + rng.normal(scale=scale, size=(len(atoms), 3)) for _ in range(n)]
    turn = 0

    def call():
        nonlocal turn
        turn += 1
        atoms.positions[:] = places[turn % n]
        compute(atoms)

    return call


def force_call(potential, atoms, **options):
    """A call of energy and forces through the ASE calculator of a gapy potential."""
    atoms = atoms.copy()
    atoms.calc = potential.calculator(**options)
    return moved(atoms, lambda a: a.get_forces())


def two_products(n_by_species, n_features: int, n_inducing: int, dtype):
    """The two matrix products of inference alone, over blocks of centres: (b D)(D M), (b M)(M D).

    The floor of every force call that does them; the fastest of a few block sizes.
    """
    rng = np.random.default_rng(0)
    x_sd = rng.normal(size=(n_inducing, n_features)).astype(dtype)
    calls = {}
    for block in (64, 128, 512):
        x_id = rng.normal(size=(block, n_features)).astype(dtype)
        t_is = np.empty((block, n_inducing), dtype=dtype)
        g_id = np.empty_like(x_id)

        def call(x_id=x_id, t_is=t_is, g_id=g_id, block=block):
            for n in n_by_species:
                for begin in range(0, n, block):
                    b = min(block, n - begin)
                    np.matmul(x_id[:b], x_sd.T, out=t_is[:b])
                    np.matmul(t_is[:b], x_sd, out=g_id[:b])

        calls[block] = call
    best = interleaved(calls, 3, turn=0.05)
    return calls[min(best, key=best.get)]
