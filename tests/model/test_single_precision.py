"""Descriptors in single precision: the same energy surface to single rounding, in every face."""

import pickle
from functools import cache

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from dscribe.descriptors import ACSF
from helpers import random_structure, stillinger_weber, with_posterior
from magnetic_iron import REACH, iron
from potential_helpers import SYMBOLS, make, three_species

import gapy
from gapy import SparseGPRegressor
from gapy._jit.few_rows import product, product_transposed
from gapy.baselines import ZBL
from gapy.descriptors import MagneticSOAP, ProjectedSOAP, smooth_soap
from gapy.descriptors.mixed import MixedSOAP
from gapy.descriptors.mixed_total import MixedTotalSOAP
from gapy.errors import GapyError

FORCES, ENERGY = 1e-5, 2e-6
"""eV/A and eV/atom; the labels of these models are of the order of 1 eV/A."""


def silicon_frames():
    frames = []
    for k in range(16):
        atoms = bulk("Si", cubic=True)
        atoms.set_cell(atoms.cell.array * (1 + 0.01 * (k % 7 - 3)), scale_atoms=True)
        atoms.rattle(0.015 * k, seed=k)
        frames.append(stillinger_weber(atoms))
    return frames


def silicon_soap():
    return smooth_soap(["Si"], r_cut=4.2, n_max=5, l_max=4)


def of_silicon(descriptor=None, **options):
    frames = silicon_frames()
    return make(descriptor or silicon_soap(), frames, n_inducing=80, zeta=2, **options)


def of_three(**options):
    frames = [random_structure(np.random.default_rng(k), SYMBOLS, 6) for k in range(8)]
    for k, atoms in enumerate(frames):
        rng = np.random.default_rng(k)
        atoms.info["REF_energy"] = float(rng.normal())
        atoms.arrays["REF_forces"] = rng.normal(size=(6, 3))
    soap = smooth_soap(SYMBOLS, r_cut=3.5, n_max=4, l_max=3, **options.pop("soap", {}))
    return make(soap, frames, sigma_forces=0.5, **options)


def of_iron():
    soap = MagneticSOAP(smooth_soap(["Fe"], r_cut=REACH, n_max=5, l_max=3), ["Fe"])
    return SparseGPRegressor(soap, n_inducing=40, zeta=2).fit(iron(16, 1)).potential_


MODELS = {
    "quadratic": lambda: of_silicon(n_components="off"),
    "projected": lambda: of_silicon(n_components=20),
    "zeta 3, three species": three_species,
    "mixed": lambda: of_three(zeta=2, n_components="auto"),
    "mixed with the total density": lambda: of_three(
        zeta=2, n_components="auto", soap={"compression": {"mode": "mu1nu1"}}
    ),
    "signs of moments": of_iron,
    "ZBL and pair term": lambda: of_silicon(
        [silicon_soap(), gapy.Pair(r_cut=4.1, transition=1.5)], baselines=(ZBL(1.0, 2.4),)
    ),
}


@cache
def model(name):
    potential = MODELS[name]()
    return potential, potential.in_precision("single")


def structures_for(name):
    if name == "signs of moments":
        return iron(3, 2)
    if name in ("zeta 3, three species", "mixed", "mixed with the total density"):
        return [random_structure(np.random.default_rng(50 + k), SYMBOLS, 7) for k in range(3)]
    large = bulk("Si", cubic=True).repeat(2)
    large.rattle(0.1, seed=4)
    return [*silicon_frames()[5:7], large]


@pytest.mark.parametrize("name", MODELS)
def test_single_precision_is_the_same_model_to_rounding(name):
    double, single = model(name)
    for atoms in structures_for(name):
        a = double.evaluate(atoms, force_std="cheap")
        b = single.evaluate(atoms, force_std="cheap")
        scale = max(1.0, np.abs(a.forces).max())
        assert 0.0 < np.abs(b.forces - a.forces).max() < FORCES * scale
        assert abs(b.energy - a.energy) < ENERGY * scale * len(atoms)
        np.testing.assert_allclose(b.virial, a.virial, atol=1e-5 * scale * len(atoms))
        np.testing.assert_allclose(b.forces_std, a.forces_std, rtol=0.01)
        np.testing.assert_allclose(b.energies_std, a.energies_std, rtol=0.02, atol=1e-6)
        np.testing.assert_allclose(b.forces.sum(axis=0), 0.0, atol=1e-5 * scale)


def test_projection_and_mixing_are_what_the_names_say():
    assert isinstance(model("projected")[0].terms[0].descriptor, ProjectedSOAP)
    assert isinstance(model("mixed")[0].terms[0].descriptor.inner, MixedSOAP)
    total = model("mixed with the total density")[0].terms[0].descriptor.inner
    assert isinstance(total, MixedTotalSOAP)
    assert model("ZBL and pair term")[0].pair_tables


def test_threads_and_batches_change_nothing():
    _, single = model("projected")
    frames = structures_for("projected")
    one = [single.evaluate(atoms) for atoms in frames]
    for atoms, expected in zip(frames, one):
        found = single.evaluate(atoms, threads=3)
        assert found.energy == expected.energy
        np.testing.assert_array_equal(found.forces, expected.forces)
    for found, expected in zip(single.evaluate_many(frames), one):
        np.testing.assert_allclose(found.forces, expected.forces, atol=FORCES)
        assert found.energy == pytest.approx(expected.energy, abs=1e-5)


def test_posterior_samples_work_on_the_same_environments():
    double = with_posterior(model("projected")[0])
    single = double.in_precision("single")
    atoms = structures_for("projected")[-1]
    a = double.evaluate(atoms, force_std="posterior")
    b = single.evaluate(atoms, force_std="posterior")
    np.testing.assert_allclose(b.forces_std, a.forces_std, rtol=0.01)


def test_samples_and_their_members_are_in_double_precision():
    _, single = model("projected")
    committee = single.sample(2)
    assert committee.calculator().todict()["precision"] == "double"
    assert committee.potentials[1].precision == "double"
    with pytest.raises(GapyError, match="precision: expected one of the keywords"):
        gapy.model.committee.CommitteeCalculator(committee, precision="single")


@pytest.mark.parametrize("name", ["quadratic", "mixed"])
def test_arrays_are_in_single_precision(name):
    double, single = model(name)
    atoms = structures_for(name)[0]
    (env,) = double.environments(atoms).values()
    block = single.energy_blocks[0]
    begin, end = next(env.blocks(block.slot))
    state, x_id = block.passes.forward(env, begin, end)
    c_iku = state[0] if isinstance(state, tuple) else state
    store = block.passes.gradient_store(env)
    assert c_iku.dtype == store.dtype == np.float32 and x_id.dtype == np.float64
    of_double = double.energy_blocks[0].passes.gradient_store(env)
    assert of_double.dtype == np.float64


@pytest.mark.parametrize("n_rows", [1, 3, 8, 20])
def test_products_of_few_rows(n_rows):
    rng = np.random.default_rng(n_rows)
    x_id, b_dr = rng.normal(size=(n_rows, 37)), rng.normal(size=(37, 22))
    single = x_id.astype(np.float32), b_dr.astype(np.float32)
    for found, exact in (
        (product(*single), x_id @ b_dr),
        (product_transposed(product(*single), single[1]), x_id @ b_dr @ b_dr.T),
    ):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, exact, atol=1e-5 * np.abs(exact).max())


def test_reduced_potentials_keep_their_precision():
    single = of_silicon(n_components="off").in_precision("single")
    reduced = (
        three_species()
        .in_precision("single")
        .reduced(1e-3, [random_structure(np.random.default_rng(1), SYMBOLS, 6)])
    )
    assert reduced.precision == "single"
    assert "single" in repr(reduced) and "single" not in repr(single.in_precision("double"))


def test_descriptors_that_have_no_single_precision_stay_in_double():
    frames = silicon_frames()
    acsf = ACSF(r_cut=4.0, species=["Si"], g2_params=[[1.0, 2.0], [0.5, 2.5]], periodic=True)
    double = make(acsf, frames, n_inducing=10)
    found, expected = double.in_precision("single").evaluate(frames[0]), double.evaluate(frames[0])
    np.testing.assert_array_equal(found.forces, expected.forces)


def test_what_was_computed_serves_both_precisions():
    double = of_silicon(n_components=20)
    double.evaluate(silicon_frames()[3], force_std="cheap")
    single = double.in_precision("single")
    assert single.indicator_blocks is double.indicator_blocks
    assert double.in_precision("single") is single
    assert single.energy_blocks is not double.energy_blocks


def test_energy_is_conserved():
    """Rounding must not heat: the drift is that of the time step."""
    drifts = []
    for potential in model("quadratic"):
        atoms = bulk("Si", cubic=True).repeat(2)
        speed_nc = np.random.default_rng(3).normal(size=(len(atoms), 3))
        atoms.set_velocities(0.04 * (speed_nc - speed_nc.mean(axis=0)))
        atoms.calc = potential.calculator()
        before = atoms.get_total_energy()
        VelocityVerlet(atoms, timestep=0.5 * units.fs).run(400)
        drifts.append((atoms.get_total_energy() - before) / len(atoms))
    assert drifts[1] == pytest.approx(drifts[0], abs=5e-6)


def test_calculator_says_its_precision(tmp_path):
    double, single = model("projected")
    calculator = double.calculator(precision="single")
    assert calculator.potential.precision == calculator.todict()["precision"] == "single"
    assert single.calculator().potential is single
    assert single.calculator(precision="double").potential.precision == "double"
    double.save(tmp_path / "m.gapy")
    of_file = gapy.GAPCalculator(tmp_path / "m.gapy", precision="single")
    atoms = structures_for("projected")[0]
    np.testing.assert_array_equal(of_file.get_forces(atoms), single.evaluate(atoms).forces)


def test_precision_is_no_part_of_the_file_but_of_a_pickle(tmp_path):
    double, single = model("projected")
    assert double.in_precision("double") is double
    assert single.sha256 == double.sha256
    single.save(tmp_path / "single.gapy")
    double.save(tmp_path / "double.gapy")
    assert (tmp_path / "single.gapy").read_bytes() == (tmp_path / "double.gapy").read_bytes()
    assert gapy.load(tmp_path / "single.gapy").precision == "double"
    assert pickle.loads(pickle.dumps(single)).precision == "single"
    function, arguments = double.__reduce__()
    assert function(*arguments[:2]).precision == "double"  # as older versions pickled it


@pytest.mark.parametrize("word", ["float32", "", None, 32])
def test_another_word_is_refused(word):
    with pytest.raises(GapyError, match=r"precision: expected one of .*double.*single.*, got"):
        model("projected")[0].in_precision(word)
