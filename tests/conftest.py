"""Small labelled structures, a model fitted to them, and the command line as a function."""

from dataclasses import dataclass

import pytest
from ase.io import write
from helpers import labelled_frames
from hypothesis import HealthCheck, settings

import gapy
from gapy.cli import run
from gapy.descriptors import smooth_soap

# A busy machine is slow, not wrong.
settings.register_profile("gapy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gapy")

LONG = (
    "test_notebooks.py", "test_page_commands.py", "test_cli_validate.py",
    "test_silicon_examples.py",
    "test_active_loop.py", "test_pages.py", "test_active_oracle.py", "test_clients.py",
    "test_properties_of_planes_and_paths.py", "test_suites_of_properties.py", "test_site.py",
    "test_streams.py", "test_active_crash.py", "test_md_run.py", "test_modelfile_fuzz.py",
    "test_lammps_external.py", "test_cli_lammps.py", "test_lammps_runs.py", "test_cli_tune.py",
    "test_md_restart.py", "test_demo.py",
)  # fmt: skip
"""Files that take longest, first: one that begins at the end leaves the other workers idle."""


def pytest_collection_modifyitems(items):
    place = {name: k for k, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONG)))


@pytest.fixture(scope="session")
def train_frames():
    return labelled_frames(18, seed=1)


@pytest.fixture(scope="session")
def test_frames():
    return labelled_frames(9, seed=2)


@pytest.fixture(scope="session")
def potential(train_frames):
    """A potential for Cu and Al with 25 inducing points per species."""
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    return gapy.SparseGPRegressor(soap, n_inducing=25).fit(train_frames).potential_


@pytest.fixture(scope="session")
def model_file(potential, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "cual.gapy"
    potential.save(path)
    return path


@pytest.fixture(scope="session")
def train_xyz(train_frames, tmp_path_factory):
    path = tmp_path_factory.mktemp("train") / "train.xyz"
    write(path, train_frames, format="extxyz")
    return path


@pytest.fixture(scope="session")
def test_xyz(test_frames, tmp_path_factory):
    path = tmp_path_factory.mktemp("test") / "test.xyz"
    write(path, test_frames, format="extxyz")
    return path


@dataclass(frozen=True)
class CommandResult:
    code: int
    out: str
    err: str

    def error_line(self) -> str:
        """The one line that bad input gives; asserts that there is no other."""
        assert self.code == 2
        assert self.err.endswith("\n") and self.err.count("\n") == 1, self.err
        assert self.err.startswith("gapy: error: ")
        return self.err


@pytest.fixture
def cli(capsys):
    """Run a command line in this process."""

    def call(*arguments) -> CommandResult:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return CommandResult(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def client():
    """A Dask cluster of two workers."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client
