"""Small loops, and the structures that they begin from."""

import pickle
from concurrent.futures import Future
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

from gapy.active import MD, GPModel, Initial, Oracle, Policy
from gapy.active.labels import checked
from gapy.active.worker import compute, make_calculator

SMALL = {"r_cut": 4.0, "n_max": 3, "l_max": 2, "n_inducing": 40}


def cell(seed=None):
    """CuAl in a distorted 4-atom cell."""
    atoms = bulk("Cu", a=3.8, cubic=True)
    atoms.symbols[:2] = "Al"
    if seed is not None:
        atoms.rattle(0.1, rng=np.random.default_rng(seed))
    return atoms


class Here:
    """An executor for loops whose oracle is not the point: labels without a process for them."""

    def submit(self, function, job):
        spec = pickle.loads(job.spec)
        results = compute(spec, make_calculator(spec), job.atoms, Path(job.directory))
        future = Future()
        future.set_result(checked(results, len(job.numbers), max_force=job.max_force, seconds=1e-3))
        return future


def small_loop(**changes):
    """Arguments of `learn` for a loop of a few seconds."""
    given = {
        "explorers": [
            MD(cell(), temperature=300, temperature_end=1500, ps=0.2, timestep=2.0),
            MD(cell(1), temperature=1200, ps=0.2, timestep=2.0),
        ],
        "oracle": Oracle(EMT, executor=Here()),
        "policy": Policy(max_force_std=0.05, batch=2),
        "model": GPModel(["Al", "Cu"], seed=5, **SMALL),
        "initial": Initial(rattles=2),
        "seed": 5,
        "checkpoint_steps": 40,
    }
    return {**given, **changes}


def displaced(x):
    """A structure that a Bad oracle fails for if x > 1 (A)."""
    atoms = cell(2)
    atoms.positions[0, 0] = x
    return atoms
