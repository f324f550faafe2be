"""Row i: wall time of whole processes, from start to exit."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from peers.processes import ONE_THREAD
from peers.systems import silicon_potential

HELP = "import sys; from gapy.cli import main; sys.argv = ['gapy', '--help']; main()"
IMPORT = "import gapy"
IMPORT_ALL = "import gapy; [getattr(gapy, name) for name in gapy.__all__]"
FIRST_CALL = """
import sys, gapy
from ase.build import bulk
atoms = bulk("Si", cubic=True).repeat(2)
atoms.calc = gapy.load(sys.argv[1]).calculator()
atoms.get_forces()
"""
EVERYTHING = """
import numpy as np, gapy
from ase.build import bulk
from gapy.descriptors import CompiledSOAP, smooth_soap
rng = np.random.default_rng(0)
frames = []
for _ in range(3):
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, rng=rng)
    atoms.info["REF_energy"] = rng.normal()
    atoms.info["REF_stress"] = 0.01 * rng.normal(size=6)
    atoms.arrays["REF_forces"] = rng.normal(size=(8, 3))
    frames.append(atoms)
gp = gapy.SparseGPRegressor(smooth_soap(["Si"], n_max=3, l_max=3), n_inducing=5, e0="zero")
gp.fit(frames)
gp.predict(frames[:1], return_std=True)
atoms.calc = gp.potential_.calculator(uncertainty=True)
atoms.get_forces()
CompiledSOAP(gp.descriptor).derivatives(atoms)
"""


def measure(options) -> dict:
    """Seconds; a cold start compiles into an empty directory, the others find it filled."""
    silicon_potential(options)
    model = str(options.cached("si.gapy"))
    with tempfile.TemporaryDirectory() as cache:
        row = {"cold": _seconds(EVERYTHING, cache), "warm": None, "notes": []}
        _seconds(FIRST_CALL, cache, model)
        scripts = {
            "help": (HELP,),
            "import": (IMPORT,),
            "import_all": (IMPORT_ALL,),
            "first_call": (FIRST_CALL, model),
        }
        times = {name: [] for name in scripts}
        for _ in range(options.repeat):
            for name, (script, *arguments) in scripts.items():
                times[name].append(_seconds(script, cache, *arguments))
        row["warm"] = _seconds(EVERYTHING, cache)
    row |= {name: float(np.median(t)) for name, t in times.items()}
    return {"i": row}


def _seconds(script: str, cache: str, *arguments: str) -> float:
    environment = {**os.environ, **ONE_THREAD, "NUMBA_CACHE_DIR": cache}
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began
