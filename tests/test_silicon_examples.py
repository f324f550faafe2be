"""The examples on silicon run, in their quick modes, and their functions find what they must."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

import gapy
from gapy.data import frames
from gapy.descriptors import smooth_soap

EXAMPLES = Path(__file__).parent.parent / "examples" / "silicon"
NAMES = ("amorphous", "pressure", "structure_search", "surface", "vacancy_diffusion")
pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not here")


@pytest.fixture
def example(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module


@pytest.fixture(scope="module")
def silicon(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "si.gapy"
    soap = smooth_soap(["Si"], r_cut=4.5, n_max=4, l_max=3)
    gp = gapy.SparseGPRegressor(soap, n_inducing=60, zeta=2).fit(frames("si", "train"))
    gp.potential_.save(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_example_draws_its_picture(name, silicon, tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", "-o", tmp_path, "--model", silicon, "--quick"],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_every_example_has_its_picture_on_the_page():
    page = (EXAMPLES.parents[1] / "docs" / "examples.md").read_text(encoding="utf-8")
    scripts = {path.stem for path in EXAMPLES.glob("*.py")} - {"silicon"}
    assert scripts == set(NAMES)
    assert not [name for name in NAMES if f"(pictures/{name}.png)" not in page]


def test_neighbours_and_pairs_of_a_crystal(example):
    amorphous = example("amorphous")
    crystal = bulk("Si", cubic=True).repeat(2)
    assert amorphous.neighbours([crystal]) == {4: 1.0}
    r, g = amorphous.pair_distribution([crystal], r_max=6.0, bins=600)
    shell = 4.0 * np.pi * r**2 * (r[1] - r[0]) * len(crystal) / crystal.get_volume()
    near = (g * shell)[r < 3.0].sum()
    assert near == pytest.approx(4.0, rel=1e-3)


def test_jumps_are_counted_and_rattles_are_not(example):
    jumps = example("vacancy_diffusion").jumps
    crystal = bulk("Si", cubic=True).repeat(2)
    first, second = crystal[1:], crystal[1:]
    near = int(np.argmin(first.get_distances(0, range(1, len(first)), mic=True))) + 1
    second.positions[near] = crystal.positions[0]
    walk = []
    for k, atoms in enumerate([first] * 4 + [second] * 4 + [first] * 4):
        frame = atoms.copy()
        frame.rattle(0.1, seed=k)
        walk.append(frame)
    assert jumps(walk, crystal) == 2
    assert jumps(walk[:4], crystal) == 0


def test_enthalpies_cross_where_parabolas_do(example):
    enthalpy = example("pressure").enthalpy
    # far apart in volume and stiff: the crossing is near the slope of the common tangent
    low, high = (0.0, 5.0, 4.0, 20.0), (0.3, 5.0, 4.0, 15.0)
    below, above = (enthalpy(high, p) - enthalpy(low, p) for p in (9.0, 11.0))
    assert below > 0.0 > above


def test_random_cells_keep_atoms_apart(example):
    search = example("structure_search")
    rng = np.random.default_rng(0)
    for _ in range(5):
        atoms = search.random_cell(rng)
        apart = atoms.repeat(2).get_all_distances(mic=True)
        assert apart[apart > 0.0].min() > search.CLOSEST
        assert 13.9 < atoms.get_volume() / len(atoms) < 24.1
