"""The state of a fit in a file: what a worker hands on."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import reduce

import mutations
import numpy as np
import pytest
from helpers import labelled_frames

import gapy
from gapy.baselines import ZBL
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError, ModelFileError
from gapy.fit.checkpoint import save_state
from gapy.fit.solving import learn, solve
from gapy.fit.training import absorb, begin, merge
from gapy.fit.training_file import load_training, save_training
from gapy.structures import from_atoms

WORKER = """
import sys
from ase.io import read
from gapy.fit.training import absorb
from gapy.fit.training_file import load_training, save_training
from gapy.structures import from_atoms

start, shard, out = sys.argv[1:]
save_training(absorb(load_training(start), from_atoms(read(shard, ":"))), out)
"""


@pytest.fixture(scope="module")
def structures():
    frames = labelled_frames(12, seed=7)
    frames[3].info["forces_sigma"] = 0.2
    del frames[4].info["REF_stress"]
    return from_atoms(frames)


@pytest.fixture(scope="module")
def start(structures):
    soaps = [smooth_soap(["Al", "Cu"], r_cut=r, n_max=3, l_max=2) for r in (4.0, 3.0)]
    baselines = [ZBL(species=["Al", "Cu"])]
    return gapy.SparseGPRegressor(soaps, n_inducing=6, zeta=2, baselines=baselines).begin(
        structures
    )


@pytest.fixture(scope="module")
def parts(start, structures):
    return [absorb(start, structures[k::3]) for k in range(3)]


def through_a_file(state, path):
    save_training(state, path)
    return load_training(path)


def assert_same(one, other):
    """Equal to the last bit in what they predict and in how they go on."""
    for a, b in ((one, other), (learn(one), learn(other))):
        a, b = solve(a).potential, solve(b).potential
        np.testing.assert_array_equal(a.posterior.alpha, b.posterior.alpha)
        np.testing.assert_array_equal(a.posterior.r_factor, b.posterior.r_factor)
        assert a.calibration == b.calibration and a.noise == b.noise
        assert a.metadata == b.metadata and a.sha256 == b.sha256


def test_shards_through_files_equal_shards_in_one_process_bit_by_bit(
    start, parts, structures, tmp_path
):
    straight = reduce(merge, parts)
    begun = through_a_file(start, tmp_path / "start.state")
    assert begun.n_structures == 0 and not begun.sample
    read = [
        through_a_file(absorb(begun, structures[k::3]), tmp_path / f"{k}.state") for k in range(3)
    ]
    merged = through_a_file(reduce(merge, read), tmp_path / "all.state")
    assert merged.digest == straight.digest and merged.n_structures == 12
    assert [s.digest() for s in merged.sample] == [s.digest() for s in straight.sample]
    assert not merged.is_solved
    assert_same(merged, straight)


def test_another_process_absorbs_a_shard(start, structures, tmp_path):
    """Of files alone: the structures are written as users have them."""
    from ase.io import write

    frames = labelled_frames(4, seed=9)
    write(tmp_path / "shard.xyz", frames)
    save_training(start, tmp_path / "start.state")
    names = [str(tmp_path / name) for name in ("start.state", "shard.xyz", "shard.state")]
    subprocess.run([sys.executable, "-c", WORKER, *names], check=True, timeout=300)
    found = load_training(tmp_path / "shard.state")
    assert found.n_structures == 4 and merge(absorb(start, structures), found).n_structures == 16


def test_everything_is_kept_and_equal_states_give_equal_bytes(parts, tmp_path):
    odd = replace(
        parts[0], seed=-1, n_updates=3, approximate=True, earlier=(2, b"e" * 32),
        noise=gapy.Noise(forces=0.1, overrides={"a": {"energy": 0.2}}, own={"a": {"forces": 2.0}}),
    )  # fmt: skip
    back = through_a_file(odd, tmp_path / "one.state")
    for name in ("e0", "noise", "kinds", "digest", "seed", "n_structures", "n_updates", "earlier"):
        assert getattr(back, name) == getattr(odd, name)
    assert back.approximate and back.baselines == odd.baselines
    assert back.statistic.factors.keys() == odd.statistic.factors.keys()
    save_training(back, tmp_path / "two.state")
    assert (tmp_path / "two.state").read_bytes() == (tmp_path / "one.state").read_bytes()
    # Without a metric of the environments too.
    plain = begin(odd.terms, odd.e0, odd.noise)
    assert through_a_file(plain, tmp_path / "plain.state").reach == (None, None)


def test_a_solved_state_is_kept_without_its_potential(parts, tmp_path):
    solved = solve(parts[0])
    back = through_a_file(solved, tmp_path / "s.state")
    assert back.potential is None
    np.testing.assert_array_equal(
        solve(back).potential.posterior.alpha, solved.potential.posterior.alpha
    )


def refused(path) -> str:
    with pytest.raises(ModelFileError) as caught:
        load_training(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def test_a_damaged_file_is_refused_in_one_line(parts, tmp_path):
    path = tmp_path / "s.state"
    save_training(parts[0], path)
    data = path.read_bytes()
    for n in (0, 3, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:n])
        refused(path)
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(data), 60):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        try:
            back = load_training(path)
        except ModelFileError as error:
            assert "\n" not in str(error)
        else:  # bytes that nobody reads, such as a time stamp
            np.testing.assert_array_equal(back.digest, parts[0].digest)
    path.write_bytes(data)
    assert load_training(path).digest == parts[0].digest
    assert "No such file" in refused(tmp_path / "none.state")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("state", "n_structures"), -1),
        (("state", "groups", 0, "kind"), "force"),
        (("state", "digest"), "zz"),
        (("state", "kinds"), []),
        (("terms", 0, "zeta"), 0),
        (("noise", "forces"), -1.0),
        (("e0",), {"Qq": 1.0}),
        (("more",), 1),
    ],
)
def test_another_form_with_fitting_hashes_is_refused(parts, tmp_path, place, value):
    path = tmp_path / "s.state"
    save_training(parts[0], path)
    header, arrays = mutations.parts(path.read_bytes())
    holder = header["model"]
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    path.write_bytes(mutations.rehashed(header, arrays))
    assert " expected " in refused(path)


def test_files_of_another_kind_are_told_apart(parts, structures, tmp_path):
    path, model = tmp_path / "s.state", tmp_path / "m.gapy"
    save_training(parts[0], path)
    solve(parts[0]).potential.save(model)
    assert "expected 'gapy training state', got 'gapy potential'" in refused(model)
    with pytest.raises(
        ModelFileError, match="expected 'gapy potential', got 'gapy training state'"
    ):
        gapy.load(path)
    header, arrays = mutations.parts(path.read_bytes())
    assert b"potential" not in json.dumps(header["model"]).encode()
    path.write_bytes(mutations.rehashed({**header, "version": 2}, arrays))
    assert "format version expected 1 to 1, got 2; update gapy" in refused(path)
    gp = gapy.SparseGPRegressor(smooth_soap(["Al", "Cu"], 4.0, 3, 2), n_inducing=6).fit(structures)
    gp.training_ = parts[0]
    with pytest.raises(GapyError, match=r"or write it with .*save_training"):
        save_state(gp, tmp_path / "r.gapy")
