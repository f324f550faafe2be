"""Evaluation, candidates of a search and labels on workers: the numbers of one process."""

import gc
import json
import os

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from helpers import labelled_frames

from gapy.active import MD, GPModel, Initial, Oracle, Policy, learn
from gapy.active.frames import Request
from gapy.active.labels import Failure, Label
from gapy.active.oracle import OracleError
from gapy.distributed.cluster import connected
from gapy.errors import GapyError, StructureError
from gapy.structures import LabelKeys, read_structures
from gapy.tuning import tune
from gapy.validation.evaluation import evaluate
from gapy.validation.on_workers import evaluate_files

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("default")  # those of Dask are not ours
LISTS = {"r_cut": [3.5, 4.0], "n_inducing": [6, 900, 1000]}
GUESS = {"n_max": 2, "l_max": 1, "zeta": 2, "sigma": 0.5}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three files of the same frames as one list, those of the second without stresses."""
    folder = tmp_path_factory.mktemp("data")
    frames = labelled_frames(20, seed=6)
    for k, atoms in enumerate(frames):
        atoms.info["config_type"] = "abc"[k % 3]
        if 7 <= k < 12:
            atoms.info.pop("REF_stress", None)
    for k, part in enumerate((frames[:7], frames[7:12], frames[12:])):
        ase.io.write(folder / f"part{k}.xyz", part, format="extxyz")
    pattern = str(folder / "part*.xyz")
    return pattern, frames, read_structures(pattern)


def without_times(report: dict) -> dict:
    return {name: value for name, value in report.items() if name != "seconds"}


def assert_same(a, b):
    """Plain JSON, equal to rounding."""
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_same(x, y)
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=1e-7, abs=1e-10)
    else:
        assert a == b


def test_parts_are_evaluated_as_one_process_does(potential, client, files):
    pattern, _, structures = files
    found = evaluate_files(potential, pattern, client=client, atoms_per_part=10)
    whole = evaluate(potential, structures)
    assert_same(without_times(found.to_dict()), without_times(whole.to_dict()))
    for name, values in vars(whole.samples).items():  # in the order of files and frames
        held = getattr(found.samples, name)
        if values.dtype.kind == "f":
            np.testing.assert_allclose(held, values, rtol=1e-9, atol=1e-10)
        else:
            np.testing.assert_array_equal(held, values)


def test_the_command_says_the_same(potential, client, files, cli, tmp_path):
    pattern = files[0]
    potential.save(tmp_path / "m.gapy")
    commands = {"here": [], "there": ["--scheduler", client.scheduler.address]}
    said = {}
    for name, more in commands.items():
        path = tmp_path / f"{name}.json"
        out = cli("evaluate", tmp_path / "m.gapy", pattern, "--json", path, *more)
        assert out.code == 0, out.err
        said[name] = json.loads(path.read_text())
        said[name, "table"] = out.out.splitlines()[1:]
    assert_same(without_times(said["here"]), without_times(said["there"]))
    assert said["here", "table"] == said["there", "table"]
    for command, place in (("evaluate", ["m.gapy", pattern]), ("tune", [pattern, "-o", "t"])):
        where = [tmp_path / p if p in ("m.gapy", "t") else p for p in place]
        bad = cli(command, *where, "--workers", "2", "--scheduler", "tcp://a:1")
        assert "scheduler: has no effect with workers" in bad.error_line()
        bad = cli(command, *where, "--workers", "2", "--threads", "2")
        assert "threads: has no effect on workers" in bad.error_line()


def test_what_cannot_be_evaluated_is_named(potential, client, files, tmp_path):
    pattern, frames, _ = files
    spoilt = frames[3].copy()
    spoilt.info, spoilt.arrays["REF_forces"] = {}, np.full((len(spoilt), 3), np.nan)
    ase.io.write(tmp_path / "bad.xyz", [frames[0], spoilt], format="extxyz")
    with pytest.raises(StructureError, match=r"bad.xyz frame 1: forces"):
        evaluate_files(potential, [pattern, str(tmp_path / "bad.xyz")], client=client)
    with pytest.raises(StructureError, match="energy key 'dft'"):
        keys = LabelKeys(energy="dft", given=frozenset({"energy"}))
        evaluate_files(potential, pattern, client=client, keys=keys)
    with pytest.raises(GapyError, match="error_threshold: expected a positive number"):
        evaluate_files(potential, pattern, client=client, error_threshold=-1.0)


def test_candidates_on_workers_give_the_same_table(client, files, tmp_path):
    frames = files[2]
    here = tune(frames, tmp_path / "here", lists=LISTS, guess=GUESS)
    seen = []
    there = tune(
        frames, tmp_path / "there", lists=LISTS, guess=GUESS, client=client, report=seen.append
    )
    assert [row.candidate for row in seen] == [row.candidate for row in here.rows]
    for a, b in zip(here.rows, there.rows, strict=True):
        assert (a.stage, a.n_structures, a.candidate, a.note) == (
            b.stage, b.n_structures, b.candidate, b.note
        )  # fmt: skip
        assert a.error == pytest.approx(b.error, rel=1e-9)
    assert there.rows[0].us_per_atom > 0.0
    held = json.loads((tmp_path / "there/results.json").read_text())
    held["rows"] = held["rows"][:3]
    (tmp_path / "there/results.json").write_text(json.dumps(held))
    new = []
    again = tune(
        frames, tmp_path / "there", lists=LISTS, guess=GUESS, client=client, report=new.append
    )
    assert again.rows[:3] == there.rows[:3] and len(new) == len(there.rows) - 3
    with pytest.raises(GapyError, match="threads: has no effect on workers"):
        tune(frames, lists=LISTS, client=client, threads=2)


def test_labels_come_from_the_workers_of_a_scheduler(client, tmp_path):
    frames = [Atoms("CuAl", [[0, 0, 0], [2.3 + 0.1 * k, 0, 0]]) for k in range(4)]
    address = client.scheduler.address
    oracle = Oracle("ase.calculators.emt.EMT", scheduler=address)
    oracle.check()
    requests = [Request.initial(atoms, "w") for atoms in frames]
    found = dict(oracle.label(requests, tmp_path / "o"))
    assert sorted(found) == [0, 1, 2, 3]
    for k, atoms in enumerate(frames):
        atoms.calc = EMT()
        assert isinstance(found[k], Label) and found[k].energy == atoms.get_potential_energy()
    assert sum(client.run(_labelling).values()) > 0  # on the workers, not here
    oracle.close()
    assert sum(client.run(_labelling).values()) == 0
    missing = Oracle("no_such_module.Calculator", scheduler=address)
    with pytest.raises(OracleError, match="cannot import 'no_such_module"):
        missing.check()
    with pytest.raises(GapyError, match="scheduler: expected one that answers"):
        Oracle("ase.calculators.emt.EMT", scheduler="nowhere").check()
    # None is left half made: the thread that collected it would wait for the locks of Dask.
    clients = [x for x in gc.get_objects() if type(x) is distributed.Client]
    assert "connecting" not in {x.status for x in clients}
    with pytest.raises(GapyError, match="scheduler: has no effect with executor"):
        Oracle("ase.calculators.emt.EMT", scheduler=address, executor=client)


def test_memory_stays_with_the_workers_that_are_started_here(monkeypatch):
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)  # of the cluster of other tests
    with connected(1) as own:
        (seen,) = own.run(_environment).values()
    assert "MALLOC_TRIM_THRESHOLD_" not in seen and seen["OMP_NUM_THREADS"] == "1"


def _environment() -> dict:
    return dict(os.environ)


def _labelling() -> int:
    from gapy.active import process

    return len(process._running)


def test_a_job_that_kills_worker_after_worker_is_a_failure(client, tmp_path):
    from distributed.scheduler import KilledWorker

    from gapy.active.cluster import ClusterPool

    class Lost:
        def result(self):
            raise KilledWorker("job", None, 3)

    found = ClusterPool.result(Lost())
    assert isinstance(found, Failure) and found.kind == "crashed"
    assert "4 Dask workers were lost with it" in found.reason


def test_a_loop_learns_with_a_scheduler_as_without(client, tmp_path):
    def loop(name, **where):
        atoms = Atoms("CuAlCu", [[0, 0, 0], [2.4, 0, 0], [0, 2.4, 0.3]])
        atoms.center(vacuum=4.0)
        return learn(
            tmp_path / name,
            [MD(atoms, temperature=600, ps=0.2, timestep=2.0)],
            Oracle("ase.calculators.emt.EMT", **where),
            Policy(max_force_std=0.1),
            model=GPModel(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2, n_inducing=20),
            initial=Initial(rattles=2),
        )

    there, here = loop("there", scheduler=client.scheduler.address), loop("here")
    assert there.n_labels == here.n_labels > 3
    assert there.model_hash == here.model_hash
