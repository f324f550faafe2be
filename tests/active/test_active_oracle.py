"""Every way in which a calculation can go wrong is a recorded failure, never a label."""

import os
import time

import bad_calculators as bad
import numpy as np
import pytest
from active_calculators import displaced
from ase.build import molecule
from ase.calculators.emt import EMT

from gapy.active import Failure, Label, Oracle, Request, process
from gapy.active.oracle import OracleError
from gapy.errors import GapyError


def outcomes(oracle, structures, directory):
    requests = [Request.initial(a, "w") for a in structures]
    try:
        return [o for _, o in sorted(oracle.label(requests, directory), key=lambda p: p[0])]
    finally:
        oracle.close()


def test_labels_are_those_of_the_calculator(tmp_path):
    atoms = displaced(0.3)
    began = time.perf_counter()
    (label,) = outcomes(Oracle("ase.calculators.emt.EMT"), [atoms], tmp_path / "o")
    whole = time.perf_counter() - began
    atoms.calc = EMT()
    assert label.energy == atoms.get_potential_energy()
    np.testing.assert_array_equal(label.forces, atoms.get_forces())
    np.testing.assert_array_equal(label.stress, atoms.get_stress())
    assert 0.0 < label.seconds < whole


def test_molecules_have_no_stress(tmp_path):
    (label,) = outcomes(Oracle(EMT), [molecule("N2")], tmp_path / "o")
    assert label.stress is None and np.isfinite(label.energy)


@pytest.mark.parametrize(
    ("calculator", "kind", "words"),
    [
        (bad.Raises, "error", "the density went away"),
        (bad.Dies, "crashed", "SIGSEGV"),
        (bad.Exits, "crashed", "code 3"),
        (bad.NaN, "not finite", "forces"),
        (bad.Infinite, "not finite", "energy"),
        (bad.Absurd, "absurd", "1e+04 eV/A"),
        (bad.Unconverged, "unconverged", "did not converge"),
        (bad.WritesUnconverged, "unconverged", "scf.out"),
        (bad.NoProgram, "gone", "no-such-program"),
        (bad.ShellNoProgram, "gone", "127"),
        (bad.NoForces, "error", "forces"),
    ],
)
def test_failures_are_told_apart_and_the_next_structure_is_labelled(
    calculator, kind, words, tmp_path
):
    oracle = Oracle(calculator, max_force=50.0)
    failure, label = outcomes(oracle, [displaced(1.2), displaced(0.2)], tmp_path / "o")
    assert isinstance(failure, Failure) and failure.kind == kind
    assert words in failure.reason and "\n" not in failure.reason
    assert isinstance(label, Label)


@pytest.mark.slow
def test_a_calculation_that_hangs_is_killed_with_its_programs(tmp_path):
    oracle = Oracle(bad.Child, timeout=3.0)
    failure, label = outcomes(oracle, [displaced(1.2), displaced(0.2)], tmp_path / "o")
    assert failure.kind == "timeout" and "3 s" in failure.reason
    assert isinstance(label, Label)
    child = int((tmp_path / "o" / "child").read_text())
    for _ in range(100):
        if not _is_running(child):
            break
        time.sleep(0.05)
    assert not _is_running(child)


def _is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_workers_label_in_parallel_and_nothing_is_left_over(tmp_path):
    oracle = Oracle(bad.Uneven, workers=2)
    structures = [displaced(x) for x in np.linspace(0.1, 0.9, 7)]
    found = outcomes(oracle, structures, tmp_path / "o")
    for atoms, label in zip(structures, found, strict=True):
        atoms.calc = EMT()
        assert label.energy == atoms.get_potential_energy()
    assert not list((tmp_path / "o").iterdir())


def test_no_request_is_begun_when_time_is_up(tmp_path):
    oracle = Oracle(EMT)
    requests = [Request.initial(displaced(x), "w") for x in (0.1, 0.2, 0.3)]
    answers = iter([True, False, False, False])
    found = list(oracle.label(requests, tmp_path, go_on=lambda: next(answers)))
    oracle.close()
    assert [k for k, _ in found] == [0]


class Client:
    """What a Dask client has: submit, and futures with callbacks."""

    def __init__(self):
        self.jobs = []

    def submit(self, function, argument):
        self.jobs.append(argument)
        return DoneFuture(function(argument))


class DoneFuture:
    def __init__(self, value):
        self.value = value

    def add_done_callback(self, function):
        function(self)

    def result(self):
        return self.value


def test_another_executor_is_accepted(tmp_path):
    client = Client()
    oracle = Oracle(EMT, executor=client)
    found = outcomes(oracle, [displaced(0.2), displaced(0.3)], tmp_path / "o")
    assert all(isinstance(o, Label) for o in found) and len(client.jobs) == 2
    # This executor labels in the calling thread: its process is ours to end.
    assert not [w for w in process._running.values() if w.spec == oracle._spec]


def test_keys_depend_on_structure_and_method_only():
    one, same = Oracle(EMT), Oracle(EMT, workers=2, timeout=5.0)
    request, moved = Request.initial(displaced(0.2), "a"), Request.initial(displaced(0.2), "b")
    assert one.key(request) == same.key(moved)
    other = Oracle("ase.calculators.lj.LennardJones", {"epsilon": 0.5})
    assert one.key(request) != other.key(request)
    assert other.key(request) != Oracle("ase.calculators.lj.LennardJones").key(request)
    assert one.key(request) != one.key(Request.initial(displaced(0.2 + 1e-15), "a"))


@pytest.mark.parametrize(
    ("path", "arguments", "words"),
    [
        ("ase.calculators.emt.ETM", {}, "ETM"),
        ("no_such_package.Calculator", {}, "no_such_package"),
        ("ase.calculators.emt.EMT", {"charge": 1, "class_": 2}, None),
        ("ase.calculators.espresso.EspressoProfile", {"command": "pw.x"}, "pseudo_dir"),
    ],
)
def test_an_oracle_that_cannot_be_made_says_so(path, arguments, words):
    oracle = Oracle(path, arguments)
    if words is None:
        oracle.check()  # EMT takes any keyword
        return
    with pytest.raises(OracleError, match=words):
        oracle.check()


def test_nested_objects_are_made_first(tmp_path):
    from gapy._support.objects import constructed

    made = constructed(
        "ase.calculators.mixing.SumCalculator",
        {
            "calcs": [
                {"class": "ase.calculators.emt.EMT"},
                {"class": "ase.calculators.lj.LennardJones", "epsilon": 0.1, "sigma": 2.0},
            ]
        },
        "oracle",
    )
    atoms = displaced(0.2)
    atoms.calc = made
    together = atoms.get_potential_energy()
    atoms.calc = EMT()
    assert together != atoms.get_potential_energy()


def test_objects_that_cannot_travel_are_refused():
    with pytest.raises(GapyError, match="cannot be pickled"):
        Oracle(lambda: EMT())
    with pytest.raises(GapyError, match="import path"):
        Oracle(3)
    with pytest.raises(GapyError, match="timeout must be"):
        Oracle(EMT, timeout=-1)


def test_the_loop_is_gone_so_are_its_labelling_processes(tmp_path):
    """A worker whose other side closes the pipe ends its whole process group."""
    from gapy.active.process import WorkerProcess

    oracle = Oracle(bad.Child)
    worker = WorkerProcess(oracle._spec, tmp_path / "o")
    atoms = displaced(1.2)
    worker._jobs.send((atoms, str(tmp_path / "o" / "job")))
    for _ in range(200):
        if (tmp_path / "o" / "child").exists() and (tmp_path / "o" / "child").read_text():
            break
        time.sleep(0.05)
    child = int((tmp_path / "o" / "child").read_text())
    assert _is_running(child)
    worker._jobs.close()
    for _ in range(200):
        if not _is_running(child):
            break
        time.sleep(0.05)
    assert not _is_running(child)
    worker._process.wait()
    os.close(os.open(os.devnull, os.O_RDONLY))  # the pipes can be closed without an error
    worker.kill()
