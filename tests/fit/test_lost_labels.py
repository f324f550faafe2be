"""Labels and options that would be lost in silence are named, or refused."""

import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from helpers import labelled_frames
from sklearn.base import clone

import gapy
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError, StructureError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.parameter_checks import used_overrides
from gapy.gp.statistic import Group
from gapy.structures import LabelKeys, StructureWarning, from_atoms
from gapy.structures.lookalikes import lookalikes
from gapy.tuning.search import tune

SMALL = ("--r-cut", 4, "--n-max", 2, "--l-max", 1, "--n-inducing", 8)
SOAP = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=2, l_max=1)


def regressor(**options):
    return gapy.SparseGPRegressor(SOAP, n_inducing=8, **options)


def renamed(n=6, **names):
    """Frames whose labels have other names."""
    frames = labelled_frames(n, 1)
    for atoms in frames:
        for old, new in names.items():
            store = atoms.arrays if old == "REF_forces" else atoms.info
            store[new] = store.pop(old)
    return frames


def with_virials(frames, name, keep_stress=False):
    for atoms in frames:
        atoms.info[name] = -atoms.get_volume() * atoms.info["REF_stress"]
        if not keep_stress:
            del atoms.info["REF_stress"]
    return frames


def said(frames, keys=None):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        from_atoms(frames, keys or LabelKeys())
    return [str(w.message) for w in caught]


# -- names that look like labels ----------------------------------------------------------------


def test_one_key_given_of_three(cli, tmp_path):
    frames = with_virials(renamed(REF_energy="dft_energy", REF_forces="dft_forces"), "dft_virial")
    write(tmp_path / "a.xyz", frames, format="extxyz")
    model = tmp_path / "m.gapy"
    result = cli("fit", tmp_path / "a.xyz", "-o", model, *SMALL, "--energy-key", "dft_energy")
    assert result.code == 0
    forces, stress = result.err.splitlines()
    assert "array 'dft_forces' in 6 of 6 frames and not used" in forces
    assert "--forces-key dft_forces" in forces and "--virial-key dft_virial" in stress
    keys = ("--forces-key", "dft_forces", "--virial-key", "dft_virial")
    result = cli(
        "fit", tmp_path / "a.xyz", "-o", model, *SMALL, "--energy-key", "dft_energy", *keys
    )
    assert result.code == 0 and result.err == ""


@pytest.mark.parametrize("name", ["Ener", "dft_energy", "TotEnergy", "E_tot", "free_energy", "E"])
def test_an_energy_under_another_name(name):
    (message,) = said(renamed(REF_energy=name))
    assert f"info key '{name}' in 6 of 6 frames" in message and f"--energy-key {name}" in message


def test_names_that_are_no_labels():
    atoms = Atoms("H2", positions=np.zeros((2, 3)))
    atoms.info |= {
        "energy_std": 1.0, "energy_cutoff": 500.0, "generation": 3, "energy_method": "PBE",
        "energies": [1.0, 2.0], "fermi_energy": 0.1, "virial_note": "none", "known_energy": 1.0,
    }  # fmt: skip
    atoms.arrays |= {"forces_std": np.zeros((2, 3)), "force_group": np.zeros(2), "f2": np.ones(2)}
    assert not [k for kind in ("energy", "forces", "stress")
                for k in lookalikes(kind, atoms, {"known_energy"})]  # fmt: skip


def test_some_frames_under_another_name():
    frames = renamed(2, REF_energy="Ener") + renamed(4)
    (message,) = said(frames)
    assert "'Ener' in 2 of 6 frames" in message


def test_other_energies_beside_the_one_used_are_no_matter():
    frames = labelled_frames(3, 1)
    for atoms in frames:
        atoms.info["mace_energy"] = 1.0
        atoms.arrays["mace_forces"] = np.zeros((4, 3))
    assert said(frames) == []


def test_results_of_a_calculator_in_place_of_a_named_label():
    """Energies of one method and forces of another fit to nothing."""
    frames = renamed(2, REF_energy="dft_energy", REF_forces="dft_forces", REF_stress="dft_stress")
    for atoms in frames:
        forces = np.zeros((4, 3))
        atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=forces)
    messages = said(frames, LabelKeys(energy="dft_energy"))
    assert "forces found beside calculator results as array 'dft_forces'" in messages[0]
    assert "stress found only as info key 'dft_stress'" in messages[1]


# -- keys that are given ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["energy", "forces", "stress", "virial"])
def test_a_given_key_that_is_nowhere(cli, tmp_path, kind):
    frames = renamed(REF_energy="e0_energy", REF_forces="other_forces", REF_stress="other_stress")
    write(tmp_path / "a.xyz", frames, format="extxyz")
    result = cli("fit", tmp_path / "a.xyz", "-o", tmp_path / "m.gapy", *SMALL,
                 f"--{kind}-key", f"REF_{kind}")  # fmt: skip
    line = result.error_line()
    assert f"{kind} key 'REF_{kind}' expected in some frame, found in none" in line


def test_a_virial_key_beside_stresses():
    frames = with_virials(labelled_frames(3, 1), "dft_virial", keep_stress=True)
    with pytest.raises(StructureError, match="virial key 'dft_virial' has no effect, all 3 frames"):
        from_atoms(frames, LabelKeys(virial="dft_virial"))
    del frames[0].info["REF_stress"]
    assert len(from_atoms(frames, LabelKeys(virial="dft_virial"))) == 3
    assert said(with_virials(labelled_frames(3, 1), "REF_virial", keep_stress=True)) == []


# -- noise that is given ------------------------------------------------------------------------


def test_noise_of_a_config_type_that_is_not_there(cli, train_xyz, tmp_path):
    config = tmp_path / "fit.toml"
    config.write_text("[noise.surface]\nforces = 0.2\n")
    for command in (("fit", "-o", tmp_path / "m.gapy"), ("tune", "-o", tmp_path / "tuned")):
        line = cli(*command, train_xyz, "--config", config).error_line()
        assert "config_type 'surface' expected among alloy, pure, found in no structure" in line
    assert not (tmp_path / "tuned").exists()


def test_overrides_in_python(train_frames):
    with pytest.raises(GapyError, match=r"noise_overrides.*'surface' expected among alloy, pure"):
        regressor(noise_overrides={"surface": {"forces": 0.1}}).fit(train_frames)
    with pytest.raises(GapyError, match="stress labels expected in 'pure', got energy, forces"):
        regressor(noise_overrides={"pure": {"stress": 0.1}}, fit_stress=False).fit(train_frames)
    with pytest.raises(GapyError, match="'surface' expected among alloy, pure"):
        tune(train_frames, options={"noise_overrides": {"surface": {"forces": 0.1}}})


def test_structures_that_may_still_come():
    """An incremental fit warns, and the override holds when its structures are there."""
    pure = [s for s in labelled_frames(9, 1) if s.info["config_type"] == "pure"]
    alloy = [s for s in labelled_frames(9, 1) if s.info["config_type"] == "alloy"]
    gp = regressor(noise_overrides={"alloy": {"forces": 0.5}})
    with pytest.warns(StructureWarning, match="'alloy' expected among pure.*so far; it waits"):
        gp.partial_fit(pure)
    gp.partial_fit(alloy)
    assert gp.potential_.noise.sigma("forces", "alloy") == 0.5
    gp = regressor(noise_overrides={"alloy": {"forces": 0.5}}, optimize=True)
    with pytest.warns(StructureWarning, match="it waits"):
        gp.partial_fit(pure)
    assert gp.potential_.noise.overrides == {"alloy": {"forces": 0.5}}  # learnt once they are there


def test_parts_of_a_search_do_without(train_frames):
    overrides = {"alloy": {"forces": 0.1, "stress": 0.1}, "pure": {"energy": 0.1}}
    alloy = [s for s in from_atoms(train_frames) if s.config_type == "alloy"]
    assert used_overrides(overrides, alloy) == {"alloy": {"forces": 0.1, "stress": 0.1}}
    assert used_overrides(overrides, alloy, fit_stress=False) == {"alloy": {"forces": 0.1}}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--no-stress", "--stress-key", "REF_stress"), "stress-key: has no effect with no-stress"),
        (("--no-stress", "--sigma-stress", 0.1), "sigma-stress: has no effect with no-stress"),
        (("--sigma-forces", 0.1), "sigma-forces: has no effect, expected structures with forces"),
    ],
)
def test_options_without_effect(cli, tmp_path, flags, words):
    frames = labelled_frames(4, 1)
    for atoms in frames:
        del atoms.arrays["REF_forces"]
    write(tmp_path / "a.xyz", frames, format="extxyz")
    for command in ("fit", "-o", tmp_path / "m.gapy"), ("tune", "-o", tmp_path / "tuned"):
        if command[0] == "tune":
            if "--stress-key" not in flags:
                continue
            (tmp_path / "fit.toml").write_text("stress = false\n")
            flags = (*flags[1:], "--config", tmp_path / "fit.toml")
        assert words in cli(*command, tmp_path / "a.xyz", *flags).error_line()


# -- virials in Python --------------------------------------------------------------------------


def test_virial_key_of_the_regressor(tmp_path):
    frames = with_virials(labelled_frames(6, 1), "dft_virial")
    gp = regressor(virial_key="dft_virial").fit(frames)
    same = regressor().fit(labelled_frames(6, 1))
    energies = [g.predict(frames).energy for g in (gp, same)]
    np.testing.assert_allclose(*energies, rtol=0, atol=1e-9)
    assert Group("stress", "pure") in gp.statistic_.factors
    assert clone(gp).get_params()["virial_key"] == "dft_virial"
    save_state(gp, tmp_path / "state.gapy")
    again = load_state(tmp_path / "state.gapy")
    assert again.virial_key == "dft_virial"
    again.partial_fit(with_virials(labelled_frames(3, 5), "dft_virial"))
    assert again.statistic_.factors[Group("stress", "pure")].n_rows > (
        gp.statistic_.factors[Group("stress", "pure")].n_rows
    )
    # Without the key, REF_virial is one, as on the command line.
    default = regressor().fit(with_virials(labelled_frames(6, 1), "REF_virial"))
    np.testing.assert_array_equal(default.predict(frames).energy, energies[0])
    with pytest.raises(StructureError, match="virial key 'REF_virial' has no effect"):
        both = with_virials(labelled_frames(3, 1), "REF_virial", keep_stress=True)
        regressor(virial_key="REF_virial").fit(both)
