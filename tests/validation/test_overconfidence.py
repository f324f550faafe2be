"""Words on error bars that are too narrow, and on groups whose learnt noise is large."""

import json

import numpy as np
import pytest
from ase.io import write
from helpers import labelled_frames, seeds
from hypothesis import given

from gapy.gp.noise import FAR, Noise, outliers
from gapy.validation.overconfidence import LEAST, over_confident

SMALL = ("--r-cut", 4, "--n-max", 2, "--l-max", 1, "--n-inducing", 8)


def atoms_of(sizes, widths, seed, group="surface"):
    """errors, sigma, group and structure of structures with so many atoms and errors so wide."""
    rng = np.random.default_rng(seed)
    scale = np.repeat(widths, sizes)
    errors = rng.normal(size=(len(scale), 3)) * scale[:, None]
    return errors, np.ones(len(scale)), np.full(len(scale), group), np.repeat(
        np.arange(len(sizes)), sizes
    )  # fmt: skip


def test_one_structure_far_off():
    (found,) = over_confident(*atoms_of([20], [3.0], 0))
    assert found.n_structures == 1 and found.n_atoms == 20 and found.coverage_90 < LEAST
    assert str(found) == (
        f"surface: {100 * found.coverage_90:.0f} % within the 90 % bar (1 structure)"
    )


@given(seeds)
def test_honest_bars_of_many_atoms_are_never_named(seed):
    assert over_confident(*atoms_of([100] * 5, [1.0] * 5, seed)) == ()


def test_honest_bars_of_few_atoms_are_seldom_named():
    named = sum(bool(over_confident(*atoms_of([6], [1.0], seed))) for seed in range(500))
    assert named < 25


def test_one_bad_structure_of_many_is_no_property_of_the_group():
    """Without the scatter between structures 76 % of 400 atoms would be seven errors off."""
    wide = [1.0, 1.0, 1.0, 12.0]
    errors, sigma, group, structure = atoms_of([100] * 4, wide, 1)
    assert (np.abs(errors) <= 1.645 * sigma[:, None]).mean() < LEAST
    assert over_confident(errors, sigma, group, structure) == ()
    (found,) = over_confident(*atoms_of([100] * 4, [3.0, 2.5, 3.0, 12.0], 1))
    assert found.n_structures == 4


def test_the_narrowest_come_first_and_others_do_not_count():
    parts = [
        atoms_of([30], [2.0], 2, "wide"),
        atoms_of([30], [6.0], 3, "wider"),
        atoms_of([30], [1.0], 4, "fine"),
    ]
    errors, sigma, group, structure = (np.concatenate(p) for p in zip(*parts))
    assert [g.config_type for g in over_confident(errors, sigma, group, structure)] == [
        "wider",
        "wide",
    ]
    assert over_confident(errors[:0], sigma[:0], group[:0], structure[:0]) == ()


def test_evaluate_says_so(cli, model_file, test_frames, tmp_path):
    frames = [atoms.copy() for atoms in test_frames]
    for k, atoms in enumerate(frames):
        if atoms.info["config_type"] == "alloy":
            atoms.arrays["REF_forces"] = atoms.arrays["REF_forces"] + (-1.0) ** k * 5.0
    write(tmp_path / "a.xyz", frames, format="extxyz")
    result = cli("evaluate", model_file, tmp_path / "a.xyz", "--json", tmp_path / "a.json")
    assert "  over-confident: alloy: 0 % within the 90 % bar (3 structures)\n" in result.out
    out = json.loads((tmp_path / "a.json").read_text())
    assert out["over_confident"] == [
        {"config_type": "alloy", "coverage_90": 0.0, "n_structures": 3, "n_atoms": 12}
    ]
    write(tmp_path / "b.xyz", test_frames, format="extxyz")
    assert "over-confident" not in cli("evaluate", model_file, tmp_path / "b.xyz").out


# -- learnt noise -------------------------------------------------------------------------------


def noise_of(**energies):
    return Noise(overrides={name: {"energy": e} for name, e in energies.items()})


@pytest.mark.parametrize(
    ("energies", "named"),
    [
        ({"a": 0.002, "b": 0.044}, ["b"]),
        ({"a": 0.002, "b": 0.003, "c": 0.044}, ["c"]),
        ({"a": 0.02, "b": 0.044}, []),
        ({"a": 0.0002, "b": 0.002}, []),  # who would care about 2 meV/atom
        ({"b": 0.044}, []),
    ],
)
def test_noise_far_above_the_others(energies, named):
    found = outliers(noise_of(**energies), {"noise_learnt": True})
    assert [g["config_type"] for g in found] == named
    assert all(g["sigma"] > FAR * g["others"] for g in found)
    assert outliers(noise_of(**energies), {"noise_learnt": False}) == ()


def test_fit_evaluate_and_info_warn_of_it(cli, tmp_path):
    frames = labelled_frames(60, 1)
    rng = np.random.default_rng(0)
    for atoms in frames:
        if atoms.info["config_type"] == "alloy":
            atoms.info["REF_energy"] += 4 * rng.normal()
    write(tmp_path / "a.xyz", frames, format="extxyz")
    model = tmp_path / "m.gapy"
    data = tmp_path / "a.xyz"
    warning = "gapy: warning: alloy: learnt noise of the energy labels"
    assert warning in cli("fit", data, "-o", model, *SMALL).err
    result = cli("evaluate", model, data, "--json", tmp_path / "a.json")
    assert warning in result.err and "times that of the other config_types" in result.err
    (group,) = json.loads((tmp_path / "a.json").read_text())["noise_outliers"]
    assert group["config_type"] == "alloy" and group["kind"] == "energy"
    result = cli("info", model, "--json")
    assert warning in result.err and json.loads(result.out)["noise_outliers"] == [group]
    # What was given is no surprise.
    (tmp_path / "fit.toml").write_text("[noise.alloy]\nenergy = 1.0\n[noise.pure]\nenergy = 0.01\n")
    given_noise = ("fit", data, "-o", model, *SMALL, "--config", tmp_path / "fit.toml")
    assert cli(*given_noise).err == ""
    assert cli("info", model).err == ""
