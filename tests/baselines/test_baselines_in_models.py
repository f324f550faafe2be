"""A baseline through every face of a model: fit, evaluate, MD, files, states, samples."""

import json
import pickle

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from baseline_helpers import compressed, domain, plus
from helpers import along_atom, along_strain, labelled_frames

import gapy
from gapy._support.voigt import stress_of
from gapy.baselines import ZBL, FreeAtoms, baseline_of, from_settings
from gapy.cli.info import info
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError, SpeciesError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.training import merge
from gapy.fit.update import update
from gapy.geometry.pairs import Pairs
from gapy.md.kinetics import draw_velocities

SOAP = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
REPULSION = ZBL(1.6, 3.0, {"Al-Cu": (1.5, 2.9)})
FAR = ZBL(2.0, 4.6)
"""Reaches farther than the term."""


FRAMES = labelled_frames(12, seed=1) + compressed(3, seed=2)
NEW = [labelled_frames(3, seed=5)[2], compressed(3, seed=6)[2]]


def regressor(baselines, soap=SOAP, **options):
    return gapy.SparseGPRegressor(soap, n_inducing=20, baselines=baselines, **options)


@pytest.fixture(scope="module", params=["zbl", "farther than the term", "two"])
def baselines(request):
    return {
        "zbl": [REPULSION],
        "farther than the term": [FAR],
        "two": [REPULSION, FreeAtoms({"Al": -1.0, "Cu": 2.0})],
    }[request.param]


@pytest.fixture(scope="module")
def gp(baselines):
    return regressor(baselines).fit(FRAMES)


@pytest.fixture(scope="module")
def potential(gp):
    return gp.potential_


def test_the_baseline_acts():
    for atoms in NEW:
        assert np.abs(baseline_of(atoms, [REPULSION]).forces).max() > 0.05


@pytest.mark.parametrize("k", [0, 1])
def test_forces_and_stress_are_derivatives(potential, k):
    atoms = NEW[k]
    out = potential.evaluate(atoms)
    for j, c in ((0, 0), (1, 2), (3, 1)):
        slope = along_atom(lambda a: potential.evaluate(a).energy, atoms, j, c)
        assert out.forces[j, c] == pytest.approx(-slope, abs=1e-6)
    for v in (0, 4):
        slope = along_strain(lambda a: potential.evaluate(a).energy, atoms, v)
        stress = stress_of(out.virial, atoms)
        assert stress[v] == pytest.approx(slope / atoms.get_volume(), abs=1e-6)


def test_every_way_to_evaluate_agrees(gp, potential):
    for atoms in NEW:
        out = potential.evaluate(atoms, force_std=True)
        assert out.energy == pytest.approx(out.energies.sum(), abs=1e-10)
        mean, _ = potential.predict(atoms)
        fitted = gp.predict([atoms])
        calc = potential.calculator(uncertainty=True)
        moved = atoms.copy()
        moved.calc = calc
        moved.get_forces()  # the neighbour list below is the one of here
        moved.positions = atoms.positions + 1e-3
        results = (moved.get_potential_energy(), moved.get_forces(), moved.get_stress())
        stress = stress_of(out.virial, atoms)
        for energy, forces, found in (
            results,
            (mean.energy, mean.forces, mean.stress),
            (fitted.energy[0], fitted.forces[0], fitted.stress[0]),
        ):
            assert energy == pytest.approx(out.energy, abs=1e-8)
            np.testing.assert_allclose(forces, out.forces, atol=1e-7)
            np.testing.assert_allclose(found, stress, atol=1e-8)
        np.testing.assert_allclose(mean.energies, out.energies, atol=1e-8)
        np.testing.assert_allclose(calc.results["forces_std"][:, 0], out.forces_std, rtol=1e-6)


def test_two_domains_with_ghosts_equal_the_cell(potential):
    atoms = NEW[1].repeat((2, 1, 1))
    atoms.rattle(0.05, seed=3)
    whole = potential.evaluate(atoms, force_std=True)
    parts, indicators = [], np.zeros((len(atoms), 4))
    energy, virial, (forces, shares) = 0.0, np.zeros((3, 3)), np.zeros((2, len(atoms), 3))
    for owned in (np.arange(3), np.arange(3, len(atoms))):
        system, owner = domain(atoms, potential.pairs_cutoff, owned)
        pairs = Pairs(*system.pairs)
        out = potential.evaluate_arrays(system.numbers, pairs, indicators=True)
        energy, virial = energy + out.energy, virial + out.virial
        np.add.at(forces, owner, out.forces)
        np.add.at(shares, owner, out.baseline_forces)
        indicators[owned] = out.indicators[: len(owned)]
        parts.append((system.numbers, pairs, owner, owned))
    assert energy == pytest.approx(whole.energy, abs=1e-9)
    np.testing.assert_allclose(forces, whole.forces, atol=1e-10)
    np.testing.assert_allclose(virial, whole.virial, atol=1e-9)
    for numbers, pairs, owner, owned in parts:
        given = (indicators[owner], numbers, pairs, forces[owner])
        sigma = potential.force_std(*given, shares[owner])
        np.testing.assert_allclose(sigma[: len(owned)], whole.forces_std[owned], rtol=1e-9)
        np.testing.assert_allclose(potential.force_std(*given), sigma, rtol=1e-12)


def test_committee(potential):
    committee = potential.sample(3, seed=1)
    for atoms in NEW:
        out = committee.evaluate(atoms, forces_members=True)
        mean = potential.evaluate(atoms)
        assert out.energy == pytest.approx(mean.energy, abs=1e-9)
        np.testing.assert_allclose(out.forces, mean.forces, atol=1e-9)
        np.testing.assert_allclose(out.virial, mean.virial, atol=1e-9)
        for k, member in enumerate(committee.potentials):
            own = member.evaluate(atoms)
            assert out.energy_members[k] == pytest.approx(own.energy, abs=1e-9)
            np.testing.assert_allclose(out.energies_members[k], own.energies, atol=1e-9)
            np.testing.assert_allclose(out.forces_members[k], own.forces, atol=1e-9)
            np.testing.assert_allclose(out.virial_members[k], own.virial, atol=1e-9)
        driven = committee.evaluate(atoms, driver=2)
        assert driven.energy == pytest.approx(out.energy_members[2], abs=1e-9)
        np.testing.assert_allclose(driven.forces, out.forces_members[2], atol=1e-9)
    covered = potential.sample(2, seed=1, cover=NEW).evaluate(NEW[0])
    assert covered.energy == pytest.approx(potential.evaluate(NEW[0]).energy, abs=1e-6)


def test_a_reduced_potential_keeps_it(potential):
    fast = potential.reduced(1e-3, NEW)
    for atoms in NEW:
        np.testing.assert_allclose(
            fast.evaluate(atoms).forces, potential.evaluate(atoms).forces, atol=1e-3
        )
    assert fast.baselines == potential.baselines


def test_files_and_pickles_are_exact(gp, potential, tmp_path):
    potential.save(tmp_path / "m.gapy")
    save_state(gp, tmp_path / "s.gapy")
    state = load_state(tmp_path / "s.gapy")
    copies = [
        gapy.load(tmp_path / "m.gapy"),
        gapy.load(tmp_path / "s.gapy"),
        state.potential_,
        pickle.loads(pickle.dumps(potential)),
        pickle.loads(pickle.dumps(gp)).potential_,
    ]
    expected = [potential.evaluate(a, force_std=True) for a in NEW]
    for copy in copies:
        assert copy.baselines == potential.baselines
        for atoms, one in zip(NEW, expected):
            found = copy.evaluate(atoms, force_std=True)
            assert found.energy == one.energy
            for name in ("forces", "virial", "forces_std"):
                np.testing.assert_array_equal(getattr(found, name), getattr(one, name))
    more = [g.partial_fit(NEW).potential_ for g in (state, pickle.loads(pickle.dumps(gp)))]
    assert more[0].sha256 == more[1].sha256
    assert state.get_params()["baselines"] == tuple(potential.baselines)


def test_info_prints_them(potential, baselines, tmp_path, capsys):
    potential.save(tmp_path / "m.gapy")
    info(str(tmp_path / "m.gapy"), as_json=True)
    listed = json.loads(capsys.readouterr().out)["baselines"]
    assert [from_settings(b["kind"], b["settings"]) for b in listed] == baselines
    info(str(tmp_path / "m.gapy"))
    lines = [x.split(None, 1)[1] for x in capsys.readouterr().out.splitlines() if "baseline" in x]
    texts = {
        REPULSION: "zbl inner=1.6 outer=3 switches: Al-Cu 1.5 2.9",
        FAR: "zbl inner=2 outer=4.6",
    }
    assert lines == [texts.get(b, "free_atoms e0: Al -1, Cu 2") for b in baselines]


def test_labels_that_are_the_baseline_leave_nothing_to_fit(baselines):
    nothing = [a.copy() for a in FRAMES]
    for atoms in nothing:
        atoms.info |= {"REF_energy": 0.0, "REF_stress": np.zeros(6)}
        atoms.arrays["REF_forces"] = np.zeros((len(atoms), 3))
    potential = regressor(baselines, e0="zero").fit(plus(nothing, baselines)).potential_
    assert np.abs(potential.posterior.w).max() < 1e-9
    for atoms in NEW:
        base, out = baseline_of(atoms, baselines), potential.evaluate(atoms)
        assert out.energy == pytest.approx(base.energy, abs=1e-8)
        np.testing.assert_allclose(out.forces, base.forces, atol=1e-8)
        np.testing.assert_allclose(out.virial, base.virial, atol=1e-7)


def test_energy_is_conserved(potential):
    atoms = bulk("Cu", a=3.35, cubic=True).repeat(2)
    atoms.symbols[::3] = "Al"
    atoms.calc = potential.calculator()
    draw_velocities(atoms, 600.0, np.random.default_rng(0))
    dynamics = VelocityVerlet(atoms, 1.0 * units.fs)
    totals = []
    dynamics.attach(lambda: totals.append(atoms.get_total_energy()), interval=5)
    dynamics.run(300)
    assert np.abs(baseline_of(atoms, [REPULSION]).forces).max() > 1.0
    drift = np.abs(np.array(totals) - totals[0]).max() / len(atoms)
    assert drift < 1e-3


def test_more_data_keep_it(baselines):
    gp = regressor(baselines).fit(FRAMES[:12])
    gp.partial_fit(FRAMES[12:14])
    report = update(gp, NEW)
    assert gp.training_.baselines == tuple(baselines) == gp.potential_.baselines
    # The labels of every step lost it: the model learns nothing if they are the baseline alone.
    assert report.n_inducing > 0
    atoms = NEW[1]
    error = gp.potential_.evaluate(atoms).forces - atoms.arrays["REF_forces"]
    assert np.abs(error).max() < 0.3 * np.abs(atoms.arrays["REF_forces"]).max()


def test_states_with_different_baselines_do_not_merge(gp):
    one, other = (
        regressor(given, e0="zero").fit(FRAMES[2::3]).training_
        for given in ([REPULSION], [ZBL(1.6, 2.8)])
    )
    with pytest.raises(GapyError, match="different baselines"):
        merge(one, other)
    assert merge(gp.training_, gp.training_).baselines == gp.training_.baselines


def test_e0_is_that_of_what_is_left(baselines):
    """As of labels that never had it."""
    plain = regressor([], e0="fit").fit(FRAMES)
    found = regressor(baselines, e0="fit").fit(plus(FRAMES, baselines)).e0_
    assert found == pytest.approx(plain.e0_, abs=1e-8)


def test_baselines_with_species_of_their_own():
    with pytest.raises(SpeciesError, match="baseline zbl: expected atoms of Cu, got Al"):
        regressor([ZBL(1.6, 3.0, species=["Cu"])]).fit(FRAMES)


@pytest.mark.parametrize("given", [ZBL(1.6, 3.0), None, "zbl", ["zlb"], 3, [ZBL]])
def test_what_is_no_baseline_is_refused(given):
    with pytest.raises(GapyError, match=r"baselines: expected a list .* such as \[ZBL"):
        regressor(given).fit(FRAMES)
