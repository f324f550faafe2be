"""Numbers of any size: a fit works, or one line says what is out of range."""

import numpy as np
import pytest
from ase.io import write
from helpers import labelled_frames

import gapy
from gapy._support.ranges import LARGEST, LARGEST_LENGTH, SCALE
from gapy.active import GPModel
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError, SpeciesError, StructureError
from gapy.structures import from_atoms

SMALL = ("--r-cut", 4, "--n-max", 2, "--l-max", 1, "--n-inducing", 8)
SOAP = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=2, l_max=1)
SCALES = ("delta", "sigma_energy", "sigma_forces", "sigma_stress")


@pytest.mark.parametrize("value", [1e300, 1e-300])
@pytest.mark.parametrize("name", SCALES)
def test_a_scale_beyond_double_precision(cli, train_xyz, train_frames, tmp_path, name, value):
    flag = name.replace("_", "-")
    fit = ("fit", train_xyz, "-o", tmp_path / "m.gapy", *SMALL)
    line = cli(*fit, f"--{flag}", value).error_line()
    assert f"{flag}: expected 1e-12 to 1e+12 eV" in line and f"{value:g}" in line
    config = tmp_path / "fit.toml"
    config.write_text(f"{flag} = {value}\n")
    assert "1e-12 to 1e+12" in cli(*fit, "--config", config).error_line()
    with pytest.raises(GapyError, match="expected 1e-12 to"):
        gapy.SparseGPRegressor(SOAP, n_inducing=8, **{name: value}).fit(train_frames)


def test_noise_of_a_group_and_of_a_structure():
    frames = labelled_frames(3, 1)
    overrides = {"pure": {"forces": 1e-300}}
    with pytest.raises(GapyError, match="config_type 'pure', forces: expected 1e-12 to"):
        gapy.SparseGPRegressor(SOAP, noise_overrides=overrides).fit(frames)
    frames[1].info["energy_sigma"] = 1e-300
    with pytest.raises(StructureError, match="frame 1: 'energy_sigma': expected 1e-12 to"):
        from_atoms(frames)
    with pytest.raises(GapyError, match="delta: expected 1e-12 to"):
        GPModel(["Al", "Cu"], delta=1e300)
    with pytest.raises(GapyError, match="noise forces: expected 1e-12 to"):
        GPModel(["Al", "Cu"], sigma_forces=1e300)


@pytest.mark.parametrize("scales", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_corners_of_the_range_give_finite_numbers(train_frames, scales):
    delta, sigma = (SCALE[k] for k in scales)
    sigmas = dict.fromkeys(SCALES[1:], sigma)
    gp = gapy.SparseGPRegressor(SOAP, n_inducing=8, delta=delta, **sigmas).fit(train_frames)
    predicted, std = gp.predict(train_frames[:1], return_std=True)
    for values in (predicted.energy, predicted.forces[0], std.energy, std.forces[0]):
        assert np.isfinite(values).all()


@pytest.mark.parametrize("sigma", [1e300, 1e-300, -1.0, float("nan")])
def test_width_of_the_densities(cli, train_xyz, tmp_path, sigma):
    with pytest.raises(GapyError, match=r"sigma: expected 0\.01 to 10 A"):
        smooth_soap(["Cu"], sigma=sigma)
    if sigma > 0:
        line = cli("fit", train_xyz, "-o", tmp_path / "m.gapy", *SMALL, "--sigma", sigma)
        assert "gapy: error: sigma: expected 0.01 to 10 A" in line.error_line()


DAMAGE = {
    "energy": lambda a, v: a.info.update(REF_energy=v),
    "forces": lambda a, v: a.arrays["REF_forces"].__setitem__((1, 2), -v),
    "stress": lambda a, v: a.info["REF_stress"].__setitem__(3, v),
    "positions": lambda a, v: a.positions.__setitem__((0, 0), v),
    "cell": lambda a, v: a.cell.__setitem__(0, [v, 0, 0]),
}


@pytest.mark.parametrize("value", [1e300, 1e12])
@pytest.mark.parametrize("what", DAMAGE)
def test_labels_and_lengths_that_no_calculation_gives(cli, tmp_path, what, value):
    frames = labelled_frames(3, 1)
    DAMAGE[what](frames[2], value)
    write(tmp_path / "a.xyz", frames, format="extxyz")
    line = cli("fit", tmp_path / "a.xyz", "-o", tmp_path / "m.gapy", *SMALL).error_line()
    limit = LARGEST.get(what, LARGEST_LENGTH)
    assert f"a.xyz frame 2: {what} expected within {limit:g}" in line
    with pytest.raises(StructureError, match=f"frames frame 2: {what} expected within"):
        gapy.SparseGPRegressor(SOAP, n_inducing=8).fit(frames)


def test_the_largest_energies_of_all_electron_codes_are_fitted(train_frames):
    frames = [atoms.copy() for atoms in train_frames]
    for atoms in frames:
        atoms.info["REF_energy"] -= 1.5e6 * len(atoms)
    same = [
        gapy.SparseGPRegressor(SOAP, n_inducing=8).fit(f).predict(f[:1]).forces[0]
        for f in (frames, train_frames)
    ]
    np.testing.assert_allclose(*same, atol=1e-3)


def test_free_atoms():
    with pytest.raises(GapyError, match=r"e0 of Al: expected within 1e\+07 eV"):
        gapy.SparseGPRegressor(SOAP, e0={"Al": 1e300, "Cu": 0.0}).fit(labelled_frames(3, 1))


@pytest.mark.parametrize("r_cut", [SMALL, ()])
def test_a_placeholder_is_no_element(cli, tmp_path, r_cut):
    frames = labelled_frames(3, 1)
    frames[1].numbers[2] = 0
    write(tmp_path / "a.xyz", frames, format="extxyz")
    line = cli("fit", tmp_path / "a.xyz", "-o", tmp_path / "m.gapy", *r_cut).error_line()
    assert "a.xyz frame 1: atom 2 expected a chemical element, got X (atomic number 0)" in line
    with pytest.raises(SpeciesError, match="got X"):
        gapy.SparseGPRegressor(SOAP).fit(frames)
