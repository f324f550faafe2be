"""Other local descriptors of dscribe, and models of several terms, through the same fit."""

import numpy as np
import pytest
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress
from dscribe.descriptors import ACSF, LMBTR, MBTR, SOAP, CoulombMatrix, SineMatrix, ValleOganov

from gapy import SparseGPRegressor, load
from gapy.descriptors import as_descriptor, smooth_soap
from gapy.errors import GapyError


def acsf():
    return ACSF(
        r_cut=4.0,
        g2_params=[[1.0, 1.0], [0.5, 2.0]],
        g4_params=[[0.1, 1.0, 1.0], [0.1, 1.0, -1.0]],
        species=["C", "Si"],
        periodic=True,
    )


def lmbtr():
    """With few images: dscribe's derivatives of it are numerical, and slow."""
    return LMBTR(
        geometry={"function": "distance"},
        grid={"min": 0.0, "max": 6.0, "n": 6, "sigma": 0.6},
        weighting={"function": "exp", "scale": 2.0, "threshold": 1e-3},
        species=["C", "Si"],
        periodic=True,
        normalization="none",
    )


def two_terms():
    short = smooth_soap(["C", "Si"], r_cut=3.0, n_max=3, l_max=2)
    long = smooth_soap(["C", "Si"], r_cut=4.5, n_max=3, l_max=1)
    return [short, long]


def labelled_frames(n_frames=5):
    rng = np.random.default_rng(3)
    frames = []
    for k in range(n_frames):
        symbols = ["Si", "C", "Si"][: 2 + k % 2]
        scaled = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
        cell = 4.4 * np.eye(3) + rng.normal(scale=0.2, size=(3, 3))
        atoms = Atoms(symbols, scaled_positions=scaled[: len(symbols)], cell=cell, pbc=True)
        atoms.rattle(0.2, rng=rng)
        atoms.info["REF_energy"] = float(rng.normal())
        atoms.arrays["REF_forces"] = rng.normal(size=(len(atoms), 3))
        atoms.info["REF_stress"] = 0.01 * rng.normal(size=6)
        frames.append(atoms)
    return frames


@pytest.fixture(scope="module", params=[acsf, lmbtr, two_terms])
def fitted(request):
    frames = labelled_frames()
    gp = SparseGPRegressor(request.param(), n_inducing=12, zeta=2).fit(frames)
    return gp, frames


def slope(energy, h):
    """Derivative at 0 from four energies; the error is O(h^4)."""
    e = [energy(step) for step in (-2 * h, -h, h, 2 * h)]
    return (e[0] - 8 * e[1] + 8 * e[2] - e[3]) / (12 * h)


def test_forces_and_stress_are_derivatives_of_the_energy(fitted):
    """Along a random displacement of all atoms and a random strain: each component counts."""
    gp, frames = fitted
    atoms = frames[1].copy()
    atoms.rattle(0.05, seed=5)
    atoms.calc = gp.potential_.calculator()
    forces, stress = atoms.get_forces(), atoms.get_stress()
    rng = np.random.default_rng(6)
    direction = rng.normal(size=forces.shape)
    strain = rng.normal(size=(3, 3))
    strain = 0.5 * (strain + strain.T)

    def moved(step):
        other = atoms.copy()
        other.positions += step * direction
        return gp.potential_.evaluate(other).energy

    def strained(step):
        other = atoms.copy()
        other.set_cell(atoms.cell @ (np.eye(3) + step * strain), scale_atoms=True)
        return gp.potential_.evaluate(other).energy

    # dscribe's own derivatives are central differences with a step of 1e-4.
    work = -np.sum(forces * direction)
    assert slope(moved, 5e-4) == pytest.approx(work, abs=1e-6 * np.abs(forces).max())
    work = np.sum(voigt_6_to_full_3x3_stress(stress) * strain) * atoms.get_volume()
    tolerance = 1e-5 * np.abs(stress).max() * atoms.get_volume()
    assert slope(strained, 5e-5) == pytest.approx(work, abs=tolerance)


def test_full_prediction_equals_the_fast_path(fitted):
    gp, frames = fitted
    mean, std = gp.potential_.predict(frames[0])
    fast = gp.potential_.evaluate(frames[0], local_std=True)
    assert mean.energy == pytest.approx(fast.energy, abs=1e-8)
    np.testing.assert_allclose(mean.forces, fast.forces, atol=1e-6)
    np.testing.assert_allclose(std.energies, fast.energies_std, rtol=1e-5)
    assert np.isfinite(std.forces).all() and (std.forces > 0.0).all()


def test_labels_are_learnt(fitted):
    gp, frames = fitted
    spread = np.std([a.info["REF_energy"] / len(a) for a in frames])
    predicted = gp.predict(frames).energy
    errors = [(e - a.info["REF_energy"]) / len(a) for e, a in zip(predicted, frames)]
    assert np.std(errors) < 0.5 * spread


def test_round_trip(fitted, tmp_path):
    gp, frames = fitted
    path = tmp_path / "model.gapy"
    gp.potential_.save(path)
    loaded = load(path)
    a, b = gp.potential_.evaluate(frames[2]), loaded.evaluate(frames[2])
    assert a.energy == b.energy
    np.testing.assert_array_equal(a.forces, b.forces)


def test_values_are_those_of_dscribe():
    atoms = labelled_frames(1)[0]
    descriptor = acsf()
    wrapped = as_descriptor(descriptor)
    env = wrapped.environments(atoms)
    values = np.empty((len(atoms), wrapped.n_features))
    values[env.atom_i] = wrapped.values(env, 0, len(atoms))
    np.testing.assert_array_equal(values, descriptor.create(atoms))


def test_averaged_or_sparse_descriptors_are_refused():
    with pytest.raises(GapyError, match="average='off'"):
        as_descriptor(
            SOAP(species=["Si"], r_cut=4.0, n_max=3, l_max=2, periodic=True, average="inner")
        )
    sparse = ACSF(r_cut=4.0, g2_params=[[1.0, 1.0]], species=["Si"], periodic=True, sparse=True)
    with pytest.raises(GapyError, match="sparse=False"):
        as_descriptor(sparse)
    with pytest.raises(GapyError, match="local descriptor of dscribe"):
        as_descriptor("SOAP")


def of_whole_structures():
    options = {"grid": {"min": 0, "max": 1, "n": 5, "sigma": 0.1}, "normalization": "none"}
    options["geometry"] = {"function": "inverse_distance"}
    options["weighting"] = {"function": "exp", "scale": 0.5, "threshold": 1e-3}
    return (
        MBTR(species=["Si"], periodic=True, **options),
        CoulombMatrix(n_atoms_max=8),
        SineMatrix(n_atoms_max=8),
        ValleOganov(species=["Si"], function="distance", sigma=0.1, n=5, r_cut=4.0),
    )


def test_what_is_no_local_descriptor_is_refused():
    expected = "descriptor: expected a local descriptor of dscribe, one vector for each atom"
    for descriptor in of_whole_structures():
        with pytest.raises(GapyError, match=f"{type(descriptor).__name__}, one vector for a whole"):
            SparseGPRegressor([descriptor], n_inducing=5).fit(labelled_frames(2))
    for other in (None, 5, [acsf()], object()):
        with pytest.raises(GapyError, match=expected + rf".*{type(other).__name__}, no descriptor"):
            as_descriptor(other)
    with pytest.raises(GapyError, match=r"got the class SOAP; call it: SOAP\(species=...\)"):
        as_descriptor(SOAP)
