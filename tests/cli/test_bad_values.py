"""Numbers, sizes and names that no command can use: one line, exit code 2, nothing left behind."""

import re

import pytest
from ase.build import bulk
from ase.io import write
from helpers import labelled_frames

import gapy
from gapy._support.ranges import RANGES
from gapy.cli.settings import FitSettings, parse_n_inducing
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError, StructureError
from gapy.fit.parameter_checks import check_settings, check_size
from gapy.geometry.neighbours import neighbour_list

SMALL = ("--r-cut", 4, "--n-max", 2, "--l-max", 1, "--n-inducing", 8)


@pytest.fixture
def start(tmp_path):
    write(tmp_path / "start.xyz", bulk("Cu", a=3.8, cubic=True), format="extxyz")
    return tmp_path / "start.xyz"


# -- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("value", ["-1", "1e300", "nan", "-inf", "99999999999999999999"])
def test_numbers_of_a_fit(cli, train_xyz, tmp_path, name, value):
    option = f"--{name.replace('_', '-')}"
    size = SMALL if option not in SMALL else SMALL[:2]
    line = cli("fit", train_xyz, "-o", tmp_path / "m.gapy", *size, option, value).error_line()
    assert option[2:] in line
    assert not (tmp_path / "m.gapy").exists()


@pytest.mark.parametrize("name", RANGES)
def test_numbers_just_out_of_range(name):
    least, most, _ = RANGES[name]
    for value in (least / 2, 2 * most):
        if isinstance(least, int) and value <= least:
            continue  # whole numbers that are too small have their own message
        words = re.escape(f"expected {least:g} to {most:g}") + ".*correct the value"
        with pytest.raises(GapyError, match=words):
            FitSettings(**{name: type(least)(value)})


def test_numbers_in_python_and_for_one_config_type():
    soap = smooth_soap(["Cu"], r_cut=4.0, n_max=2, l_max=1)
    for given in (
        {"delta": 1e300},
        {"sigma_forces": 1e-300},
        {"zeta": 10**9},
        {"n_inducing": 10**20},
        {"n_inducing": {"Cu": 10**20}},
        {"noise_overrides": {"bulk": {"energy": 1e300}}},
    ):
        with pytest.raises(GapyError, match=r"expected .* to .*correct the value"):
            check_settings(gapy.SparseGPRegressor(soap, **given))


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--seed", -1, "seed: expected a whole number of at least 0, got -1"),
        ("--threads", 0, "threads"),
        ("--sigma", 1e-300, "sigma: expected 0.01 to 10 A"),
        ("--zeta", 10**6, "zeta: expected 1 to 1000"),
        ("--n-max", 10**6, "n_max: expected 1 to 100"),
        ("--l-max", 10**6, "l_max: expected 0 to 100"),
        ("--n-inducing", 10**20, "n_inducing: expected 1 to 1e+06"),
    ],
)
def test_numbers_of_a_search(cli, train_xyz, tmp_path, option, value, words):
    line = cli("tune", train_xyz, "-o", tmp_path / "tuned", option, value).error_line()
    assert words in line
    assert not (tmp_path / "tuned").exists()


def test_seed_of_an_inspection(cli, train_xyz):
    assert (
        "seed must be a whole number >= 0" in cli("inspect", train_xyz, "--seed", -1).error_line()
    )


# -- sizes --------------------------------------------------------------------------------------


def test_cutoff_that_reaches_too_far(cli, train_xyz, tmp_path):
    line = cli("fit", train_xyz, "-o", tmp_path / "m.gapy", *SMALL, "--r-cut", 100).error_line()
    assert "100 A reaches about" in line and "expected at most 10000" in line and "GB" in line


@pytest.mark.parametrize(
    ("pbc", "vacuum", "fits"),
    [
        ((1, 1, 1), 0.0, False),
        ((1, 1, 0), 0.0, True),  # a layer: 0.28 atoms/A^2
        ((0, 0, 0), 0.0, True),
        ((1, 1, 1), 400.0, True),
    ],
)
def test_neighbours_are_counted_by_dimension(pbc, vacuum, fits):
    atoms = bulk("Cu", cubic=True)
    atoms.cell[2, 2] += vacuum
    pbc = [bool(p) for p in pbc]
    cutoff = 40.0
    if fits:
        found = neighbour_list(atoms.positions, atoms.cell.array, pbc, cutoff)
        assert len(found.j_p) / 4 < 10_000
    else:
        with pytest.raises(StructureError, match=r"reaches about 2279. neighbours"):
            neighbour_list(atoms.positions, atoms.cell.array, pbc, cutoff)


def test_memory_of_a_fit(monkeypatch):
    structures = gapy.structures.from_atoms(labelled_frames(6, seed=1))
    soap = gapy.descriptors.CompiledSOAP(smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2))
    gp = gapy.SparseGPRegressor(soap, n_inducing=1000)
    check_size(gp.term_settings(), structures)
    # 24 atoms, so at most 24 points.
    monkeypatch.setattr("gapy._support.sizes.machine_bytes", lambda: 8.0 * 24 * soap.n_features)
    with pytest.raises(GapyError, match=r"24 inducing points of .* GB of this machine; take fewer"):
        check_size(gp.term_settings(), structures)


def test_supercells(cli, model_file, start, tmp_path):
    for cell, n in (("100 100 100", 4 * 10**6), (f"{10**20} 1 1", 4 * 10**20)):
        run = ("md", model_file, start, "-o", tmp_path / "run", "--supercell", cell)
        line = cli(*run).error_line()
        assert f"supercell: expected at most 1000000 atoms, got {n}" in line
    assert not (tmp_path / "run").exists()
    loop = tmp_path / "loop.toml"
    loop.write_text(
        '[oracle]\ncalculator = "ase.calculators.emt.EMT"\n[policy]\nmax_force_std = 0.1\n'
        '[[explore]]\nstart = "start.xyz"\nps = 1\ntemperature = 300\nsupercell = 100\n'
    )
    assert "expected at most 1000000 atoms" in cli("learn", loop, "--dry-run").error_line()


# -- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["train", "output", "config"])
def test_nul_in_a_name(cli, train_xyz, tmp_path, key):
    values = {"train": str(train_xyz), "output": str(tmp_path / "m.gapy")}
    config = tmp_path / "fit.toml"
    values[key] = "a\\u0000b"
    config.write_text("".join(f'{k} = "{v}"\n' for k, v in values.items() if k != "config"))
    line = cli("fit", "--config", "a\0b" if key == "config" else config).error_line()
    assert "NUL" in line


def test_nul_in_other_names(cli, model_file, start, tmp_path):
    bad = "a\0b"
    for arguments in (
        ("info", bad),
        ("evaluate", model_file, bad),
        ("evaluate", model_file, start, "--json", bad),
        ("evaluate", model_file, start, "--plots", bad),
        ("md", model_file, start, "-o", bad),
        ("inspect", start, "--candidates", bad),
        ("tune", start, "-o", bad),
        ("demo", "-o", bad),
        ("learn", bad),
    ):
        assert "NUL" in cli(*arguments).error_line(), arguments


# -- options that do nothing --------------------------------------------------------------------


def test_options_without_effect(cli, train_xyz, tmp_path):
    tune = ("tune", train_xyz, "-o", tmp_path / "tuned", "--holdout", 0.3)
    assert "criterion 'holdout' only" in cli(*tune).error_line()
    assert "of no candidates" in cli("inspect", train_xyz, "--n-candidates", 5).error_line()
    assert "resumes nothing" in cli("learn", "any.toml", "--resume", "--dry-run").error_line()
    assert not (tmp_path / "tuned").exists()


def test_a_species_twice():
    assert parse_n_inducing("Ge=10,Si=20") == {"Ge": 10, "Si": 20}
    with pytest.raises(GapyError, match="Ge is given twice"):
        parse_n_inducing("Ge=10, Ge=20")
