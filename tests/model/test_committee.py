"""Posterior samples: their statistics, their derivatives, and what sharing must not change."""

from dataclasses import replace

import numpy as np
import pytest
from ase import units
from ase.calculators.calculator import PropertyNotImplementedError
from ase.md.verlet import VelocityVerlet
from dscribe.descriptors import ACSF
from helpers import along_atom, along_strain, random_structure

import gapy
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError, SpeciesError
from gapy.gp.rows import structure_rows
from gapy.model.local_energy import Projected

N = 11  # more than one group of eight, and a group that is not full


def fitted(zeta=4, n_inducing=30, descriptor=None, **options):
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(10):
        atoms = random_structure(rng, n_atoms=5)
        atoms.info["REF_energy"] = float(rng.normal())
        atoms.arrays["REF_forces"] = rng.normal(size=(5, 3))
        frames.append(atoms)
    descriptor = descriptor or smooth_soap(["Si", "C"], r_cut=3.5, n_max=2, l_max=3)
    gp = gapy.SparseGPRegressor(
        descriptor, n_inducing=n_inducing, zeta=zeta, sigma_forces=0.3, **options
    )
    return gp.fit(frames).potential_, frames


def kinds():
    soap = smooth_soap(["Si", "C"], r_cut=3.5, n_max=2, l_max=3)
    small = smooth_soap(["Si", "C"], r_cut=3.5, n_max=2, l_max=1)
    wide = smooth_soap(["Si", "C"], r_cut=4.0, n_max=3, l_max=1, compression={"mode": "mu1nu1"})
    acsf = ACSF(species=["Si", "C"], r_cut=3.5, g2_params=[[1, 1], [1, 2]], periodic=True)
    return {
        "zeta 4": lambda: fitted()[0],
        "zeta 2 as a quadratic form": lambda: fitted(zeta=2, descriptor=small)[0],
        "zeta 1": lambda: fitted(zeta=1)[0],
        "two terms": lambda: fitted(descriptor=[soap, wide])[0],
        "not compiled": lambda: fitted(descriptor=acsf, n_inducing=10)[0],
    }


@pytest.mark.parametrize("kind", kinds())
def test_shared_evaluation_equals_that_of_separate_potentials(kind):
    potential = kinds()[kind]()
    atoms = random_structure(np.random.default_rng(8), n_atoms=6)
    committee = potential.sample(N, seed=4)
    assert len(committee) == len(committee.potentials) == len(committee.members) == N
    out = committee.evaluate(atoms, forces_members=True)
    mean = potential.evaluate(atoms)
    scale = 1e-8 * max(np.abs(mean.forces).max(), 1.0)
    for name in ("energy", "energies", "forces", "virial"):
        np.testing.assert_allclose(getattr(out, name), getattr(mean, name), atol=scale)
    for k, member in enumerate(committee.potentials):
        alone = member.evaluate(atoms)
        assert out.energy_members[k] == pytest.approx(alone.energy, abs=scale)
        np.testing.assert_allclose(out.energies_members[k], alone.energies, atol=scale)
        np.testing.assert_allclose(out.forces_members[k], alone.forces, atol=scale)
        np.testing.assert_allclose(out.virial_members[k], alone.virial, atol=scale)
    driven = committee.evaluate(atoms, driver=9)
    assert driven.energy == pytest.approx(out.energy_members[9], abs=scale)
    np.testing.assert_allclose(driven.forces, out.forces_members[9], atol=scale)


def test_the_kinds_take_the_paths_they_name():
    made = {name: make() for name, make in kinds().items() if name != "not compiled"}
    assert all(b.short_cut is not None for b in made["zeta 2 as a quadratic form"].energy_blocks)
    assert any(q is not None for q in made["zeta 2 as a quadratic form"].sample(2)._quadratics)
    assert len(made["two terms"].terms) == 2


def test_samples_of_a_reduced_potential_are_those_of_the_exact_one():
    potential, frames = fitted()
    reduced = potential.reduced(0.5, frames)
    assert any(isinstance(b.short_cut, Projected) for b in reduced.energy_blocks)
    out = reduced.sample(3, seed=1).evaluate(frames[0], forces_members=True)
    expected = potential.sample(3, seed=1).evaluate(frames[0], forces_members=True)
    np.testing.assert_array_equal(out.forces_members, expected.forces_members)
    np.testing.assert_array_equal(out.forces, expected.forces)


def test_mean_and_covariance_are_those_of_the_posterior(potential, test_frames):
    atoms, n = test_frames[2], 6000
    rows = structure_rows(potential.terms, atoms, forces=True, stress=True)
    rows = np.concatenate([rows.energy[None], rows.forces, rows.stress])
    values = rows @ potential.sample(n, seed=1).alpha.T
    posterior = potential.posterior
    v = np.linalg.solve(posterior.r_factor.T, posterior.whiten(rows))
    covariance = v.T @ v
    sigma = np.sqrt(np.diag(covariance))
    off = (values.mean(axis=1) - rows @ posterior.alpha) / sigma * np.sqrt(n)
    assert np.abs(off).max() < 4.5
    # The variance of a sample covariance is (c_ij^2 + c_ii c_jj) / n.
    c = covariance / np.outer(sigma, sigma)
    sampled = np.cov(values / sigma[:, None])
    z = (sampled - c) / np.sqrt((1.0 + c**2) / n)
    assert np.abs(z).max() < 5.0
    assert 0.7 < np.sqrt((z**2).mean()) < 1.3


def test_calculators_are_exact_derivatives(potential, test_frames):
    atoms = test_frames[5].copy()
    committee = potential.sample(3, seed=2)
    calculator = committee.calculator()
    forces = calculator.get_property("forces_members", atoms)
    stress = calculator.get_property("stress_members", atoms)
    assert forces.shape == (3, 4, 3) and stress.shape == (3, 6)
    for k, member in enumerate(committee.members):

        def energy(moved, member=member):
            return member.get_potential_energy(moved)

        slope = -along_atom(energy, atoms, 1, 2)
        assert forces[k, 1, 2] == pytest.approx(slope, abs=1e-6)
        assert member.get_forces(atoms)[1, 2] == pytest.approx(slope, abs=1e-6)
        strained = along_strain(energy, atoms, 3) / atoms.get_volume()
        assert stress[k, 3] == pytest.approx(strained, abs=1e-7)
        np.testing.assert_allclose(member.get_stress(atoms), stress[k], atol=1e-10)


def test_forces_of_members_are_computed_only_when_asked_for(potential, test_frames):
    atoms = test_frames[0].copy()
    atoms.calc = potential.sample(5, seed=0).calculator()
    atoms.get_forces()
    assert {"energy_members", "energies_members", "stress"} <= set(atoms.calc.results)
    assert "forces_members" not in atoms.calc.results
    asked = atoms.calc.get_property("forces_members", atoms)
    assert "forces_members" in atoms.calc.results and asked.shape == (5, len(atoms), 3)
    atoms.rattle(0.01, seed=1)
    atoms.get_forces()
    assert "forces_members" not in atoms.calc.results
    atoms.pbc = False
    with pytest.raises(PropertyNotImplementedError, match="no periodic cell"):
        atoms.calc.get_property("stress_members", atoms)


def test_md_with_a_member_conserves_its_energy(potential, test_frames):
    atoms = test_frames[1].copy()
    atoms.calc = potential.sample(4, seed=6).calculator(driver=2)
    atoms.set_velocities(np.random.default_rng(0).normal(0.0, 0.02, (len(atoms), 3)))
    total = []
    dynamics = VelocityVerlet(atoms, 0.5 * units.fs)
    for _ in range(40):
        dynamics.run(1)
        results = atoms.calc.results
        assert results["energy"] == pytest.approx(results["energy_members"][2], abs=1e-9)
        total.append(atoms.get_total_energy())
    assert np.ptp(total) < 0.05 * atoms.get_kinetic_energy()


def test_samples_follow_the_seed_and_survive_a_file(potential, test_frames, tmp_path):
    a, b = potential.sample(6, seed=7), potential.sample(6, seed=7)
    np.testing.assert_array_equal(a.alpha, b.alpha)
    assert np.abs(a.alpha - potential.sample(6, seed=8).alpha).max() > 0.0
    few = potential.sample(2, seed=7).w
    np.testing.assert_allclose(few, a.w[:2], rtol=0.0, atol=1e-12 * np.abs(few).max())
    potential.save(tmp_path / "mean.gapy")
    loaded = gapy.load(tmp_path / "mean.gapy").sample(6, seed=7)
    atoms = test_frames[4]
    np.testing.assert_array_equal(
        loaded.evaluate(atoms).energy_members, a.evaluate(atoms).energy_members
    )
    member = a.potentials[3]
    member.save(tmp_path / "member.gapy")
    again = gapy.load(tmp_path / "member.gapy")
    assert again.evaluate(atoms).energy == member.evaluate(atoms).energy
    assert again.metadata["sample"] == [3, 7]


def test_threads_do_not_change_the_result(potential, test_frames):
    atoms = test_frames[2].repeat(4)
    committee = potential.sample(9, seed=0)
    one, two = (committee.evaluate(atoms, forces_members=True, threads=t) for t in (1, 2))
    np.testing.assert_array_equal(one.forces_members, two.forces_members)
    np.testing.assert_array_equal(one.energies_members, two.energies_members)


# -- the prior that the inducing points leave open -----------------------------------------------


def test_cover_moves_variance_into_the_samples_and_changes_nothing_else():
    potential, frames = fitted(n_inducing=6)
    new = random_structure(np.random.default_rng(99), n_atoms=4)
    covered = potential.sample(4000, seed=3, cover=[new]).potential
    assert covered.metadata["cover"] and len(covered.posterior.w) > len(potential.posterior.w)
    for atoms in (new, frames[0]):
        mean, std = potential.predict(atoms)
        mean_covered, std_covered = covered.predict(atoms)
        assert mean_covered.energy == pytest.approx(mean.energy, abs=1e-8)
        np.testing.assert_allclose(mean_covered.forces, mean.forces, atol=1e-8)
        assert std_covered.energy == pytest.approx(std.energy, rel=1e-5)
        np.testing.assert_allclose(std_covered.energies, std.energies, rtol=1e-5)
        np.testing.assert_allclose(std_covered.forces, std.forces, rtol=1e-4)


def test_spread_of_a_covered_structure_is_the_full_standard_deviation():
    potential, _ = fitted(n_inducing=6)
    new = random_structure(np.random.default_rng(99), n_atoms=4)
    full = potential.predict(new)[1].energies
    n = 3000
    bare = potential.sample(n, seed=3).evaluate(new).energies_members.std(axis=0)
    covered = potential.sample(n, seed=3, cover=[new]).evaluate(new).energies_members.std(axis=0)
    assert (bare < 0.9 * full).any()
    np.testing.assert_allclose(covered, full, rtol=5.0 / np.sqrt(2 * n))


def test_cover_that_is_described_already_adds_nothing():
    potential, frames = fitted(n_inducing=200)
    assert potential.sample(2, cover=frames).potential.metadata["cover"] == [0, 0]


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n: expected a number of members of at least 1, got 0"),
        ({"n": 2.5}, "n: expected"),
        ({"n": 2, "seed": -1}, "seed: expected a non-negative integer"),
        ({"n": 2, "cover": []}, "cover: expected at least one structure"),
    ],
)
def test_bad_arguments(potential, arguments, message):
    with pytest.raises(GapyError, match=message):
        potential.sample(**arguments)


def test_bad_driver_and_unknown_species(potential, test_frames):
    committee = potential.sample(3)
    with pytest.raises(GapyError, match=r"driver: expected None \(the mean\) or a member from 0"):
        committee.calculator(driver=3)
    gold = test_frames[0].copy()
    gold.symbols[0] = "Au"
    with pytest.raises(SpeciesError, match="Au"):
        committee.evaluate(gold)
    with pytest.raises(SpeciesError, match="Au"):
        potential.sample(2, cover=[gold])


def test_mean_of_the_committee_is_not_touched(potential, test_frames):
    assert potential.sample(2).potential is potential
    assert replace(potential).evaluate(test_frames[0]).energy == pytest.approx(
        potential.sample(2).evaluate(test_frames[0]).energy, abs=1e-10
    )
