"""Row h: time and memory per atom from 64 to 100 000 atoms, each size in its own process."""

from __future__ import annotations

import time

import numpy as np

from peers import processes
from peers.machine import peak_memory_gb
from peers.systems import silicon, silicon_potential
from peers.timing import force_call

CELLS = ((2, 2, 2), (4, 4, 4), (5, 5, 5), (8, 8, 8), (16, 16, 16), (25, 25, 20))
"""64, 512, 1000, 4096, 32 768 and 100 000 atoms."""
ROUNDS = 3


def measure(options) -> dict:
    """us/atom and peak GB by number of atoms: medians over rounds of all sizes."""
    silicon_potential(options)
    sizes = CELLS[:3] if options.quick else CELLS
    rounds = [
        [processes.run("scan.one", options, cells=cells) for cells in sizes]
        for _ in range(1 if options.quick else ROUNDS)
    ]
    points = [
        {key: float(np.median([p[key] for p in same])) for key in same[0]} for same in zip(*rounds)
    ]
    row = {"points": points, "notes": []}
    large = [p for p in points if p["n_atoms"] >= 1000]
    if len(large) > 1:
        first, last = large[0], large[-1]
        us = [p["us_per_atom"] for p in large]
        row["time_spread"] = max(us) / min(us) - 1.0
        row["kb_per_atom"] = (
            1e6 * (last["peak_gb"] - first["peak_gb"]) / (last["n_atoms"] - first["n_atoms"])
        )
    return {"h": row}


def one(options, cells) -> dict:
    """One size in this process."""
    potential = silicon_potential(options)
    atoms = silicon(cells)
    call = force_call(potential, atoms)
    call()
    calls = int(np.clip(20_000 // len(atoms), 3, 40))
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return {
        "n_atoms": len(atoms),
        "us_per_atom": 1e6 * float(np.median(times)) / len(atoms),
        "peak_gb": peak_memory_gb(),
    }
