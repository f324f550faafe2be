"""`gapy fit --workers`: the fit in parts from the command line."""

import json

import ase.io
import numpy as np
import pytest
from helpers import labelled_frames

import gapy

pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("default")  # those of Dask are not ours
OPTIONS = [
    "--r-cut", "4", "--n-max", "3", "--l-max", "2", "--zeta", "2", "--n-inducing", "10",
    "--no-optimize",
]  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    frames = labelled_frames(12, seed=4)
    for k in range(2):
        part = frames[6 * k : 6 * k + 6]
        ase.io.write(folder / f"part{k}.xyz", part, format="extxyz")
    return folder, frames


def test_workers_fit_what_one_process_fits(cli, files, client):
    folder, frames = files
    train = [str(folder / f"part{k}.xyz") for k in range(2)]
    address = client.scheduler.address
    out = cli("fit", *train, "-o", folder / "w.gapy", *OPTIONS, "--scheduler", address)
    assert out.code == 0, out.err
    assert "2 workers, dashboard" in out.out and "structures               12" in out.out
    assert cli("fit", *train, "-o", folder / "one.gapy", *OPTIONS).code == 0
    potentials = [gapy.load(folder / name) for name in ("w.gapy", "one.gapy")]
    # All environments of so few structures become points, in whatever order.
    a, b = (np.concatenate([p.evaluate(f).forces for f in frames]) for p in potentials)
    truth = np.concatenate([f.arrays["REF_forces"] for f in frames])
    assert np.sqrt(((a - truth) ** 2).mean()) < 1.3 * np.sqrt(((b - truth) ** 2).mean())
    info = json.loads(cli("info", folder / "w.gapy", "--json").out)
    assert info["metadata"]["n_structures"] == 12


def test_a_table_of_a_baseline_reaches_the_workers(cli, files, client):
    folder, _ = files
    config, model = folder / "fit.toml", folder / "lj.gapy"
    config.write_text(
        '[baseline.calculator]\npath = "ase.calculators.lj.LennardJones"\n'
        "arguments = { sigma = 2.3, epsilon = 0.1 }\n"
    )
    address = client.scheduler.address
    given = ("--config", config, "--scheduler", address)
    out = cli("fit", folder / "part0.xyz", "-o", model, *OPTIONS, *given)
    assert out.code == 0, out.err
    listed = json.loads(cli("info", model, "--json", "--trust").out)["baselines"]
    assert [one["kind"] for one in listed] == ["zbl", "calculator"]


@pytest.mark.parametrize(
    "options, words",
    [
        (["--workers", "0"], "workers: expected a number of at least 1, got 0"),
        (["--workers", "2", "--scheduler", "tcp://a:1"], "scheduler: has no effect with workers"),
        (["--estimate", "--scheduler", "tcp://a:1"], "scheduler: has no effect with estimate"),
        (["--workers", "2", "--threads", "2"], "threads: has no effect on workers"),
        (["--scheduler", "nowhere"], "scheduler: expected one that answers at 'nowhere'"),
    ],
)
def test_what_is_refused(cli, files, options, words):
    folder, _ = files
    out = cli("fit", folder / "part0.xyz", "-o", folder / "x.gapy", *OPTIONS, *options)
    assert out.code == 2 and out.err.count("\n") == 1 and words in out.err
    assert not (folder / "x.gapy").exists()
