"""Row k: what the ASE calculator adds to the engine in a 64-atom call."""

from __future__ import annotations

from gapy.model import engine
from peers.systems import silicon, silicon_potential
from peers.timing import force_call, interleaved


def measure(options) -> dict:
    """us of a call through ASE, of the engine on ready neighbours, and their difference."""
    potential = silicon_potential(options)
    atoms = silicon(2)
    environments = potential.environments(atoms)

    def bare():
        engine.evaluate(potential.energy_blocks, environments, len(atoms))

    calls = {"calculator": force_call(potential, atoms), "engine": bare}
    seconds = interleaved(calls, 10 * options.repeat, turn=0.05)
    row = {name: 1e6 * t for name, t in seconds.items()}
    row["overhead"] = row["calculator"] - row["engine"]
    return {"k": row | {"n_atoms": len(atoms), "notes": []}}
