"""Runs with a fitted potential, killed anywhere: the same bits as one that was left alone.

The calculator's neighbour list outlives many steps, so what is computed must not depend on when it
was made.
"""

import signal

import numpy as np
import pytest
import warm
from ase.build import bulk
from md_calculators import assert_same_run, log_columns

from gapy.geometry.neighbours import VerletList, neighbour_list
from gapy.md import ENSEMBLES, run_md

STEPS = 60


class Killed(Exception):
    pass


def options(ensemble):
    """Hot and in large steps, so that the list is made anew between checkpoints and not at them."""
    hot = {"temperature": 1500.0, "timestep": 3.0, "steps": STEPS, "checkpoint_interval": 20}
    return {"ensemble": ensemble, **hot, "max_temperature": 1e6}


def alloy():
    atoms = bulk("Cu", a=3.8, cubic=True)
    atoms.numbers[1] = 13
    return atoms


def run(potential, directory, ensemble, **more):
    calculator = potential.calculator(uncertainty=True, skin=0.3)
    return run_md(alloy(), calculator, directory, **options(ensemble), **more)


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_killed_at_random_steps(potential, tmp_path, ensemble):
    run(potential, tmp_path / "whole", ensemble)
    rng = np.random.default_rng(list(ENSEMBLES).index(ensemble))
    kills = np.sort(rng.integers(1, STEPS, size=4))

    for k, kill in enumerate(kills):

        def callback(record, frame, kill=kill):
            if record.step == kill:
                raise Killed

        # a kill at a step that the last checkpoint has passed does not come again
        try:
            run(potential, tmp_path / "parts", ensemble, restart=k > 0, callback=callback)
        except Killed:
            assert log_columns(tmp_path / "parts" / "md.csv")["step"][-1] == kill
    assert run(potential, tmp_path / "parts", ensemble, restart=True).n_steps == STEPS
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.slow
def test_killed_processes(potential, model_file, tmp_path):
    """SIGKILL while the process works, twice."""
    script = (
        "import os, signal, sys\n"
        "import gapy\n"
        "from test_md_kills import run\n"
        "def kill(record, frame):\n"
        "    if record.step == int(sys.argv[3]):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "restart = sys.argv[4] == 'restart'\n"
        "run(gapy.load(sys.argv[1]), sys.argv[2], 'nvt', restart=restart, callback=kill)\n"
    )
    for step, how in ((27, "begin"), (51, "restart")):
        arguments = [model_file, tmp_path / "parts", step, how]
        killed = warm.Program(script, arguments, folder=tmp_path, output=tmp_path / "printed")
        assert killed.wait() == -signal.SIGKILL
    run(potential, tmp_path / "parts", "nvt", restart=True)
    run(potential, tmp_path / "whole", "nvt")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("repeat", [1, 2])
def test_pairs_do_not_depend_on_the_age_of_the_list(repeat):
    """The pairs within the cutoff, bit by bit, from an old long list and from a new short one."""
    atoms = bulk("Si", cubic=True) * (repeat, 1, 1)
    atoms.rattle(0.1, seed=1)
    old = VerletList(4.0, skin=1.0)
    old.update(atoms.positions, atoms.cell.array, atoms.pbc)
    atoms.rattle(0.05, seed=2)
    aged = old.update(atoms.positions, atoms.cell.array, atoms.pbc)
    assert old.n_builds == 1
    fresh = neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, 4.0)
    near = np.linalg.norm(aged.r_pc, axis=1) < 4.0
    for name in ("i_p", "j_p", "shift_pc", "r_pc"):
        assert np.array_equal(getattr(aged, name)[near], getattr(fresh, name)), name
