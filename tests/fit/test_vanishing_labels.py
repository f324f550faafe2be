"""Labels that vanish, by symmetry or beside e0, teach nothing of noise and break nothing."""

import warnings

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write
from helpers import labelled_frames

import gapy
from gapy.descriptors import smooth_soap
from gapy.gp.noise import Noise
from gapy.structures import StructureWarning

SOAP = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=2, l_max=1)
CONFIGURED = {"energy": 0.002, "forces": 0.07, "stress": 0.003}
KEYS = {"energy": "REF_energy", "forces": "REF_forces", "stress": "REF_stress"}


def perfect_cells(n=11, rattle=0.0):
    frames = []
    for k, a in enumerate(np.linspace(3.5, 3.9, n)):
        atoms = bulk("Cu", a=a, cubic=True)
        atoms.rattle(rattle, seed=k)
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.info["REF_stress"] = atoms.get_stress()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        frames.append(atoms)
    return frames


def fit(frames, **options):
    sigmas = {f"sigma_{kind}": sigma for kind, sigma in CONFIGURED.items()}
    gp = gapy.SparseGPRegressor(SOAP, n_inducing=8, optimize=True, **{**sigmas, **options})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StructureWarning)
        gp.fit(frames)
    said = [str(w.message) for w in caught if "all labels vanish" in str(w.message)]
    assert np.isfinite(gp.log_marginal_likelihood())
    energy, std = gp.predict(frames[:1], return_std=True)
    assert np.isfinite(energy.forces[0]).all() and np.isfinite(std.forces[0]).all()
    assert np.isfinite(gp.potential_.calculator(uncertainty=True).get_property(
        "forces_std", frames[0].copy()
    )).all()  # fmt: skip
    return gp, said


@pytest.mark.parametrize("rattle", [0.0, 1e-8])
def test_forces_of_perfect_cells(rattle):
    gp, said = fit(perfect_cells(rattle=rattle))
    noise = gp.potential_.noise
    assert noise.forces == CONFIGURED["forces"]
    assert noise.energy != CONFIGURED["energy"] and noise.stress != CONFIGURED["stress"]
    assert len(said) == 1 and said[0].startswith("forces: ") and "stays at 0.07 eV/A" in said[0]


def test_one_perfect_cell():
    """Its energy is e0, its forces vanish, and no label is left."""
    gp, said = fit(perfect_cells(1))
    assert gp.potential_.noise == Noise(**CONFIGURED)
    assert [text.split(":")[0] for text in said] == list(KEYS)


def zeroed(frames, kind, chosen=lambda s: True):
    for atoms in filter(chosen, frames):
        store = atoms.arrays if kind == "forces" else atoms.info
        store[KEYS[kind]] = np.zeros_like(store[KEYS[kind]])
    return frames


@pytest.mark.parametrize("kind", KEYS)
def test_one_kind_that_is_all_zero(kind):
    """Exactly zero labels on rows that are not, e0 being zero."""
    gp, said = fit(zeroed(labelled_frames(12, 1), kind), e0="zero")
    noise = gp.potential_.noise
    for k, configured in CONFIGURED.items():
        stays = {noise.sigma(k, name) for name in ("pure", "alloy")} == {configured}
        assert stays == (k == kind)
    assert len(said) == 1 and said[0].startswith(f"{kind}: ")


def test_energies_that_are_all_e0():
    frames = perfect_cells(1) * 3
    for k, atoms in enumerate(frames):
        frames[k] = atoms.copy()
        frames[k].rattle(0.1, seed=k)
        del frames[k].arrays["REF_forces"]
    gp, said = fit(frames)
    assert gp.potential_.noise.energy == CONFIGURED["energy"]
    assert [text.split(":")[0] for text in said] == ["energy"]


def test_nothing_but_zeros():
    frames = labelled_frames(6, 1)
    for kind in KEYS:
        zeroed(frames, kind)
    gp, said = fit(frames, e0="zero", noise_overrides={"pure": {"forces": 0.5}})
    assert gp.potential_.noise == Noise(**CONFIGURED, overrides={"pure": {"forces": 0.5}})
    assert gp.potential_.terms[0].delta == (1.0, 1.0)
    assert [text.split(":")[0] for text in said] == list(KEYS)


@pytest.mark.parametrize("kind", KEYS)
def test_a_group_that_vanishes_takes_the_noise_of_its_kind(kind):
    frames = zeroed(labelled_frames(24, 1), kind, lambda s: s.info["config_type"] == "alloy")
    gp, said = fit(frames, e0="zero")
    noise = gp.potential_.noise
    assert said == []
    assert noise.sigma(kind, "alloy") == getattr(noise, kind) != CONFIGURED[kind]


@pytest.mark.parametrize("flags", [(), ("--r-cut", 4)])
def test_perfect_cells_on_the_command_line(cli, tmp_path, flags):
    write(tmp_path / "perfect.xyz", perfect_cells(), format="extxyz")
    result = cli("fit", tmp_path / "perfect.xyz", "-o", tmp_path / "m.gapy", *flags,
                 "--n-max", 2, "--l-max", 1, "--n-inducing", 8)  # fmt: skip
    assert result.code == 0, result.err
    assert "gapy: warning: forces: all labels vanish" in result.err
    assert "0.05 eV/A" in result.out
    assert cli("evaluate", tmp_path / "m.gapy", tmp_path / "perfect.xyz").code == 0
