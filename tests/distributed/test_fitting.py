"""A fit in parts on workers against the fit of one process."""

import os
import signal
import time

import ase.db
import ase.io
import numpy as np
import pytest
from helpers import labelled_frames

import gapy
from gapy.baselines import ASECalculator
from gapy.descriptors import smooth_soap
from gapy.distributed import fit
from gapy.errors import GapyError, StructureError
from gapy.fit.beginning import empty_state
from gapy.fit.solving import solve
from gapy.fit.training import absorb
from gapy.structures import LabelKeys, read_structures

pytestmark = pytest.mark.filterwarnings("default")  # those of Dask are not ours


def regressor(**options):
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    options = {"n_inducing": 12, "zeta": 2, "n_components": "off", **options}
    return gapy.SparseGPRegressor(soap, **options)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two files of the same frames as one list."""
    folder = tmp_path_factory.mktemp("data")
    frames = labelled_frames(24, seed=4)
    for k, part in enumerate((frames[:15], frames[15:])):
        ase.io.write(folder / f"part{k}.xyz", part, format="extxyz")
    return str(folder / "part*.xyz"), frames


def forces(potential, frames):
    return np.concatenate([potential.evaluate(a).forces for a in frames])


def test_it_equals_one_fit_with_the_same_points(client, files):
    pattern, frames = files
    gp = fit(pattern, regressor(), client=client, atoms_per_part=20)
    assert gp.n_structures_ == len(frames)
    state = gp.training_
    whole = read_structures(pattern)
    start = empty_state(
        state.terms, state.e0, regressor().initial_noise(), gp, state.reach, state.baselines
    )
    one = solve(absorb(start, whole)).potential
    np.testing.assert_allclose(forces(gp.potential_, frames), forces(one, frames), atol=1e-8)
    assert gp.training_.digest == absorb(start, whole).digest
    again = regressor().fit(frames)  # other points, nearly as good
    errors = [
        np.sqrt(np.mean((forces(p, frames) - np.concatenate([s.forces for s in whole])) ** 2))
        for p in (gp.potential_, again.potential_)
    ]
    assert errors[0] < 1.2 * errors[1]


def test_a_calculator_beneath_is_the_same_on_workers(client, files):
    pattern, frames = files
    base = ASECalculator("ase.calculators.lj.LennardJones", {"sigma": 2.3, "epsilon": 0.1})
    gp = fit(pattern, regressor(baselines=[base]), client=client, atoms_per_part=20)
    state = gp.training_
    assert state.baselines == (base,)
    start = empty_state(
        state.terms, state.e0, regressor().initial_noise(), gp, state.reach, state.baselines
    )
    one = solve(absorb(start, read_structures(pattern))).potential
    np.testing.assert_allclose(forces(gp.potential_, frames), forces(one, frames), atol=1e-8)
    options = {"client": client, "keys": LabelKeys(), "atoms_per_part": 20}
    chosen = fit(pattern, lambda _: regressor(baselines=[base]), baselines=[base], **options)
    assert chosen.potential_.sha256 == gp.potential_.sha256
    with pytest.raises(GapyError, match="baselines: expected those of the regressor"):
        fit(pattern, lambda _: regressor(baselines=[base]), **options)


def test_workers_and_their_order_change_no_bit(client, files):
    pattern, frames = files
    options = {"atoms_per_part": 20, "client": client}
    two = fit(pattern, regressor(optimize=True), **options)
    first = next(iter(client.scheduler_info()["workers"]))
    held = client.submit(time.sleep, 2.0, workers=[first], pure=False)  # one worker comes late
    late = fit(pattern, regressor(optimize=True), **options)
    held.result()
    assert late.potential_.noise == two.potential_.noise
    np.testing.assert_array_equal(forces(late.potential_, frames), forces(two.potential_, frames))


def test_a_worker_killed_in_the_middle_is_survived(client, files):
    pattern, frames = files
    options = {"atoms_per_part": 10, "client": client, "keys": LabelKeys()}
    expected = fit(pattern, regressor(), **{**options})
    before = client.run(os.getpid)

    victim = next(iter(before.values()))

    def choose(summary):
        # It holds parts that were read, and points are still to be chosen and labels absorbed.
        os.kill(victim, signal.SIGKILL)
        return regressor()

    found = fit(pattern, choose, **options)
    deadline = time.monotonic() + 60
    while len(client.nthreads()) < 2 or victim in client.run(os.getpid, on_error="ignore").values():
        assert time.monotonic() < deadline, "its nanny did not start another worker"
        time.sleep(0.1)
    np.testing.assert_array_equal(
        forces(found.potential_, frames), forces(expected.potential_, frames)
    )


def test_a_database_is_read_by_ids(client, files, tmp_path):
    frames = files[1]
    with ase.db.connect(tmp_path / "a.db") as db:
        for atoms in frames:
            forces_ = atoms.arrays["REF_forces"]
            bare = atoms.copy()
            del bare.arrays["REF_forces"]
            info = {"REF_energy": atoms.info["REF_energy"]}
            db.write(bare, key_value_pairs=info, data={"REF_forces": forces_})
        del db[3]
    gp = fit(str(tmp_path / "a.db"), regressor(), client=client, atoms_per_part=20)
    assert gp.n_structures_ == len(frames) - 1


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda a: a.arrays["REF_forces"].__setitem__((1, 2), np.nan), r"bad.xyz frame 5: forces"),
        (lambda a: a.positions.__setitem__(1, a.positions[0]), r"bad.xyz frame 5: atoms 0"),
        (lambda a: a.symbols.__setitem__(0, "Au"), r"bad.xyz frame 5: species expected"),
    ],
)
def test_a_bad_structure_is_named(client, files, tmp_path, spoil, words):
    frames = [atoms.copy() for atoms in files[1][:9]]
    spoil(frames[5])
    ase.io.write(tmp_path / "bad.xyz", frames, format="extxyz")
    with pytest.raises(GapyError, match=words):
        fit(str(tmp_path / "bad.xyz"), regressor(), client=client, atoms_per_part=20)


def test_what_must_hold_of_all_parts(client, files):
    pattern = files[0]
    with pytest.raises(StructureError, match="forces key 'dft_forces' expected in some frame"):
        fit(pattern, regressor(forces_key="dft_forces"), client=client, atoms_per_part=20)
    with pytest.raises(StructureError, match="expected whole files"):
        fit(f"{pattern.replace('*', '0')}@0:3", regressor(), client=client)
    with pytest.raises(GapyError, match=r"noise_overrides.*'surface' expected among alloy, pure"):
        overrides = {"surface": {"energy": 0.01}}
        fit(pattern, regressor(noise_overrides=overrides), client=client, atoms_per_part=20)
    with pytest.raises(GapyError, match="workers: expected one of client, workers and scheduler"):
        fit(pattern, regressor(), client=client, workers=2)
    with pytest.raises(GapyError, match="keys: expected LabelKeys"):
        fit(pattern, lambda summary: regressor(), client=client)


def test_the_regressor_may_depend_on_the_data(client, files):
    pattern, frames = files
    seen = []

    def choose(summary):
        seen.append(summary)
        return regressor(n_inducing=5)

    gp = fit(pattern, choose, client=client, keys=LabelKeys(), atoms_per_part=20)
    (summary,) = seen
    assert summary.n_structures == len(frames) == gp.n_structures_
    assert sum(summary.atoms.values()) == sum(map(len, frames))
    assert len(gp.statistic_.factors) >= 2 and gp.training_.n_columns == 10
    whole = read_structures(pattern)
    assert {s.digest() for s in summary.typical} == {s.digest() for s in whole}
