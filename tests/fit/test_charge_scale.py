"""The scale of charges that left-out errors prefer: known scales, linearity, refusals, files."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from scipy.optimize import minimize_scalar

import gapy
from gapy.baselines import ZBL, Coulomb, baseline_of, from_settings
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError
from gapy.fit import charge_scale as module
from gapy.fit.charge_scale import charge_scale, with_scales
from gapy.structures import from_atoms
from gapy.tuning import tune

IONS = Coulomb({"Na": 1.0, "Cl": -1.0}, scale="fit")
SOAP = smooth_soap(["Na", "Cl"], r_cut=4.0, n_max=3, l_max=2)


def salt(n, seed, scale):
    """Na2Cl2 in two pieces up to 12 A apart: repulsion of pairs, and charges of this scale."""
    rng, out = np.random.default_rng(seed), []
    short = ZBL(inner=1.0, outer=3.5)
    for _ in range(n):
        at = np.array([[0, 0, 0], [2.5, 0, 0], [0, 0, 0], [0, 2.5, 0]], dtype=float)
        at[2:] += rng.uniform(4.5, 12.0) * np.array([0.0, 0.1, 1.0])
        atoms = Atoms("NaClClNa", at + rng.normal(scale=0.15, size=(4, 3)))
        base = baseline_of(atoms, [short, replace(IONS, scale=scale)] if scale else [short])
        atoms.info["REF_energy"] = base.energy - 7.0
        atoms.arrays["REF_forces"] = base.forces.copy()
        out.append(atoms)
    return out


def regressor(**more):
    settings = {"n_inducing": 40, "optimize": True, "e0": "fit", "baselines": [IONS]} | more
    return gapy.SparseGPRegressor(SOAP, **settings)


@pytest.mark.parametrize("scale", [0.4, 1.7])
def test_a_known_scale_is_found(scale):
    found = charge_scale(regressor(), [IONS], from_atoms(salt(30, 1, scale)))
    assert found.value == pytest.approx(scale, abs=0.1 * scale)
    assert 0.0 < found.error < 0.1 * scale and found.n_structures == 30


def test_charges_and_scale_are_one_number():
    """Twice the charges, a quarter of the scale."""
    structures = from_atoms(salt(25, 2, 1.0))
    one = charge_scale(regressor(), [IONS], structures)
    twice = Coulomb({"Na": 2.0, "Cl": -2.0}, scale="fit")
    two = charge_scale(regressor(baselines=[twice]), [twice], structures)
    assert 4.0 * two.value == pytest.approx(one.value, rel=0.05)


def test_the_smallest_error_of_residuals_that_are_known():
    rng = np.random.default_rng(0)
    bare = [{"energy": rng.normal(size=1), "forces": rng.normal(size=6)} for _ in range(20)]
    unit = [{v: 0.3 * rng.normal(size=len(r)) - r for v, r in of.items()} for of in bare]

    def badness(s):
        def error(v):
            each = [np.sqrt(np.mean(((1 - s) * a[v] + s * b[v]) ** 2)) for a, b in zip(bare, unit)]
            return np.log(np.mean(each))

        return error("energy") + error("forces")

    expected = minimize_scalar(badness, bounds=(0.0, 2.0), method="bounded").x
    found = module._best(bare, unit)
    assert found.scale == pytest.approx(expected, abs=1e-4)
    rest = module._best(bare[1:], unit[1:])
    assert len(found.left_out) == 20
    assert found.left_out[0] == pytest.approx(rest.scale, abs=1e-4) != pytest.approx(found.scale)


def test_a_scale_beyond_all_bounds_is_refused():
    weak = Coulomb({"Na": 0.05, "Cl": -0.05}, scale="fit")
    with pytest.raises(GapyError, match=r"scale: expected one below 100, .* give larger charges"):
        charge_scale(regressor(baselines=[weak]), [weak], from_atoms(salt(25, 2, 1.0)))


def test_left_out_residuals_are_linear_in_the_labels():
    structures = from_atoms(salt(12, 3, 1.0))
    unit = [IONS.scaled(1.0)]
    start = regressor(baselines=unit).begin(structures)
    bare, whole, _ = module._labels(start, structures, start.e0, [])
    none, all_, half = (
        module._residuals(start, labels)
        for labels in (bare, whole, module._mixed(bare, whole, 0.25))
    )
    for a, b, c in zip(none, all_, half):
        for v in ("energy", "forces"):
            np.testing.assert_allclose(0.75 * a[v] + 0.25 * b[v], c[v], atol=1e-7)
    assert np.abs(none[0]["forces"] - all_[0]["forces"]).max() > 0.01


def test_a_fit_finds_it_and_files_keep_it(tmp_path):
    frames = salt(25, 4, 0.6)
    gp = regressor(baselines=["zbl", IONS]).fit(frames)
    zbl, ions = gp.potential_.baselines
    assert zbl.kind == "zbl" and ions.scale == pytest.approx(0.6, abs=0.06)
    assert gp.baselines == ["zbl", IONS]
    gp.potential_.save(tmp_path / "m.gapy")
    assert gapy.load(tmp_path / "m.gapy").baselines == gp.potential_.baselines
    assert from_settings("coulomb", json.loads(json.dumps(ions.settings()))) == ions
    gp.partial_fit(salt(3, 5, 0.6))
    assert gp.potential_.baselines[1] == ions


def test_the_command_line_says_what_it_found(cli, tmp_path):
    write(tmp_path / "train.xyz", salt(25, 4, 0.6), format="extxyz")
    config, model = tmp_path / "fit.toml", tmp_path / "m.gapy"
    config.write_text('[baseline.coulomb]\ncharges = { Na = 1.0, Cl = -1.0 }\nscale = "fit"\n')
    small = ("--r-cut", 4, "--n-max", 3, "--l-max", 2, "--n-inducing", 40, "--e0", "fit")
    result = cli("fit", tmp_path / "train.xyz", "-o", model, "--config", config, *small)
    assert result.code == 0, result.err
    ions = gapy.load(model).baselines[1]
    assert ions.scale == pytest.approx(0.6, abs=0.08)
    assert f"scale of the charges: {ions.scale:.3f}, standard error 0.0" in result.out
    assert "(left-out errors of 25 structures)" in result.out
    estimate = cli("fit", tmp_path / "train.xyz", "-o", model, "--config", config, "--estimate")
    assert estimate.code == 0, estimate.err
    shared = cli(
        "fit", tmp_path / "train.xyz", "-o", model, "--config", config, "--workers", 1, *small
    )
    assert shared.code == 0, shared.err
    assert gapy.load(model).baselines[1].scale == pytest.approx(ions.scale, abs=1e-9)


def test_a_search_takes_one_scale_for_all():
    frames = salt(16, 4, 0.6)
    options = {"baselines": ["zbl", IONS], "e0": "fit", "optimize": True}
    lists = {"r_cut": [3.5, 4.0], "n_max": [3], "l_max": [2], "n_inducing": [20]}
    found = tune(frames, lists=lists, options=options)
    assert len(found.rows) > 1 and not any(row.note for row in found.rows)
    assert max(row.forces_rmse for row in found.rows) < 0.05


def test_without_charges_in_the_labels_there_is_no_scale():
    with pytest.raises(GapyError, match="baseline coulomb, scale: expected labels that prefer"):
        with_scales(regressor(), [IONS], from_atoms(salt(25, 6, 0.0)))


def test_wrong_signs_are_refused():
    frames = salt(25, 7, 0.0)
    for atoms in frames:
        base = baseline_of(atoms, [IONS.scaled(0.5)])
        atoms.info["REF_energy"] -= base.energy
        atoms.arrays["REF_forces"] = atoms.arrays["REF_forces"] - base.forces
    with pytest.raises(GapyError, match="expected labels that prefer charges of these signs"):
        charge_scale(regressor(), [IONS], from_atoms(frames))


def test_few_structures_and_unfitted_scales_are_refused():
    with pytest.raises(GapyError, match="scale: expected at least 10 structures with energies to"):
        regressor().fit(salt(9, 8, 1.0))
    with pytest.raises(GapyError, match="scale: expected a number, got 'fit'"):
        baseline_of(salt(1, 8, 1.0)[0], [IONS])
    for wrong in (0.0, -1.0, "auto", np.inf):
        with pytest.raises(GapyError, match="baseline coulomb, scale: expected a number above 0"):
            Coulomb({"Na": 1.0, "Cl": -1.0}, scale=wrong)
    assert with_scales(regressor(), [IONS.scaled(2.0)], []) == (IONS.scaled(2.0),)
