"""Models that tell orders of moments apart: physics, derivatives, files, every face, refusals."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from helpers import along_atom, along_strain
from magnetic_iron import REACH, iron, label

import gapy
from gapy.descriptors import MagneticSOAP, ProjectedSOAP, smooth_soap
from gapy.engines.lammps.domain import fit_for_domains
from gapy.errors import GapyError, StructureError
from gapy.fit.checkpoint import load_state, save_state
from gapy.geometry.pairs import pairs_within
from gapy.structures import StructureWarning
from gapy.structures.spins import KEY, signs_of, with_signs


def magnetic(n_max=5, l_max=3):
    return MagneticSOAP(smooth_soap(["Fe"], r_cut=REACH, n_max=n_max, l_max=l_max), ["Fe"])


IRON = Path(__file__).parents[2] / "benchmarks/datasets/fe.xyz"
FRAMES, NEW = iron(24, 1), iron(6, 2)
SETTINGS = {"n_inducing": 60, "zeta": 2}


@pytest.fixture(scope="module")
def regressor():
    return gapy.SparseGPRegressor(magnetic(), **SETTINGS).fit(FRAMES)


@pytest.fixture(scope="module")
def potential(regressor):
    return regressor.potential_


def reordered(atoms, signs):
    return with_signs(atoms.copy(), np.asarray(signs))


def test_orders_are_learnt(potential):
    """Of a plain SOAP the force error is that of the labels' part that the order makes."""
    assert isinstance(potential.terms[0].descriptor, ProjectedSOAP)
    plain = gapy.SparseGPRegressor(magnetic().soap, **SETTINGS)
    with pytest.warns(StructureWarning, match=r"moments of Fe of both signs, which no descriptor"):
        plain = plain.fit(FRAMES).potential_

    def error(model):
        forces = [model.evaluate(atoms).forces - atoms.arrays["REF_forces"] for atoms in NEW]
        return np.sqrt(np.mean(np.square(forces)))

    assert error(potential) < 0.05 * error(plain)
    for atoms in NEW:
        want = {order: label(reordered(atoms, order)).info["REF_energy"] for order in ORDERS}
        got = {order: potential.evaluate(reordered(atoms, order)).energy for order in ORDERS}
        gap = want[ORDERS[0]] - want[ORDERS[1]]
        assert got[ORDERS[0]] - got[ORDERS[1]] == pytest.approx(gap, rel=0.02)


ORDERS = (1, 1, 1, 1), (1, -1, 1, -1)


def test_all_moments_turned_around_change_no_bit(potential):
    for atoms in NEW:
        one = potential.evaluate(atoms, force_std="cheap")
        other = potential.evaluate(reordered(atoms, -signs_of(atoms)), force_std="cheap")
        assert one.energy == other.energy
        assert np.array_equal(one.forces, other.forces)
        assert np.array_equal(one.forces_std, other.forces_std)


def test_forces_and_stress_are_derivatives(potential):
    atoms, volume = NEW[0], NEW[0].get_volume()
    out = potential.evaluate(atoms)

    def energy(moved):
        return potential.evaluate(moved).energy

    for j, c in ((0, 0), (1, 2), (3, 1)):
        assert -along_atom(energy, atoms, j, c) == pytest.approx(out.forces[j, c], abs=1e-7)
    stress = potential.predict(atoms)[0].stress
    for v in range(6):
        assert along_strain(energy, atoms, v) / volume == pytest.approx(stress[v], abs=1e-7)


def test_order_of_atoms_and_size_of_the_cell(potential):
    atoms = NEW[1]
    energy, order = potential.evaluate(atoms).energy, [3, 1, 0, 2]
    assert potential.evaluate(atoms[order]).energy == pytest.approx(energy, abs=1e-11)
    assert potential.evaluate(atoms * (1, 2, 2)).energy == pytest.approx(4 * energy, abs=1e-10)


def test_ways_to_the_same_numbers(potential):
    numbers, signs = NEW[0].numbers, signs_of(NEW[0])
    pairs = pairs_within(NEW[0], potential.pairs_cutoff)
    energy = potential.evaluate(NEW[0]).energy
    known = potential.evaluate_arrays(numbers, replace(pairs, signs=signs.tolist()))
    assert known.energy == pytest.approx(energy, abs=1e-12)
    with pytest.raises(StructureError, match="magmom_sign: expected the signs"):
        potential.evaluate_arrays(numbers, pairs)
    for wrong in ([1, 1], [1, 1, 2, 1]):
        with pytest.raises(StructureError, match="signs: expected -1, 0 or 1 for each of 4 atoms"):
            potential.evaluate_arrays(numbers, replace(pairs, signs=wrong))
    together = potential.evaluate_many(NEW, "cheap")
    alone = [potential.evaluate(atoms, force_std="cheap") for atoms in NEW]
    assert [one.energy for one in together] == pytest.approx([one.energy for one in alone])
    without = NEW[1].copy()
    del without.arrays[KEY]
    with pytest.raises(StructureError, match=r"structures\[1\]: magmom_sign: expected the signs"):
        potential.evaluate_many([NEW[0], without])


def test_a_structure_without_magnetic_pairs_needs_no_signs_among_others(potential, monkeypatch):
    lone = Atoms("Fe", cell=[9, 9, 9], pbc=True)
    alone = [potential.evaluate(atoms).energy for atoms in (NEW[0], lone, NEW[1])]
    monkeypatch.setattr(type(potential), "evaluate", None)  # all of them together, or not at all
    together = potential.evaluate_many([NEW[0], lone, NEW[1]])
    assert [one.energy for one in together] == pytest.approx(alone, abs=1e-12)


def test_the_calculator_notices_other_signs_and_moments(potential):
    atoms = reordered(NEW[0], ORDERS[0])
    atoms.calc = potential.calculator(uncertainty=True)
    before = atoms.get_potential_energy()
    atoms.arrays[KEY][1] = -1
    flipped = atoms.get_potential_energy()
    assert abs(flipped - before) > 0.01
    assert flipped == pytest.approx(potential.evaluate(atoms).energy, abs=1e-12)
    del atoms.arrays[KEY]
    atoms.set_initial_magnetic_moments([2.0, 2.0, 2.0, 2.0])
    assert atoms.get_potential_energy() == pytest.approx(before, abs=1e-12)
    assert atoms.calc.check_state(reordered(atoms, ORDERS[1])) == ["initial_magmoms"]


def test_files_and_states_keep_signs(regressor, potential, tmp_path):
    potential.save(tmp_path / "m.gapy")
    loaded = gapy.load(tmp_path / "m.gapy")  # evaluates its references again
    for again in (loaded, pickle.loads(pickle.dumps(potential))):
        assert again.evaluate(NEW[0]).energy == potential.evaluate(NEW[0]).energy
        assert again.terms[0].descriptor.magnetic == (26,)
    save_state(regressor, tmp_path / "s.gapy")
    state = load_state(tmp_path / "s.gapy")
    kept = [signs_of(s.atoms).tolist() for s in state.training_.sample]
    assert kept == [signs_of(s.atoms).tolist() for s in regressor.training_.sample]
    more = [gp.partial_fit(NEW).potential_ for gp in (state, pickle.loads(pickle.dumps(regressor)))]
    assert more[0].evaluate(NEW[0]).energy == more[1].evaluate(NEW[0]).energy


def test_what_cannot_know_the_signs_says_so(potential):
    with pytest.raises(
        GapyError, match=r"m.gapy: expected a model without magnetic elements, LAMM"
    ):
        fit_for_domains(potential, "m.gapy")
    without = NEW[0].copy()
    del without.arrays[KEY]
    with pytest.raises(
        StructureError, match="magnetic: Fe, but frames frame 1 does not say the si"
    ):
        gapy.SparseGPRegressor(magnetic(), **SETTINGS).fit([NEW[1], without])


def test_the_command_line(cli, tmp_path):
    train, test, model = (tmp_path / name for name in ("train.xyz", "test.xyz", "m.gapy"))
    write(train, FRAMES, format="extxyz")
    write(test, NEW, format="extxyz")
    small = ("--r-cut", REACH, "--n-max", 3, "--l-max", 2, "--n-inducing", 30)
    result = cli("fit", train, "-o", model, "--magnetic", "Fe", *small)
    assert result.code == 0, result.err
    assert "magnetic=Fe" in cli("info", model).out
    assert cli("evaluate", model, test).code == 0
    assert cli("inspect", train).code == 0
    write(start := tmp_path / "start.xyz", NEW[0], format="extxyz")
    options = ("-o", tmp_path / "run", "--steps", 3, "--temperature", 300)
    assert cli("md", model, start, *options).code == 0
    for frame in read(tmp_path / "run" / "md.extxyz", index=":"):
        assert np.array_equal(signs_of(frame), signs_of(NEW[0]))
    config = tmp_path / "fit.toml"
    config.write_text('[[term]]\nkind = "soap"\nmagnetic = ["Fe"]\n[[term]]\nkind = "pair"\n')
    result = cli("fit", train, "-o", tmp_path / "t.gapy", "--config", config, *small)
    assert result.code == 0, result.err
    assert [t.descriptor.magnetic for t in gapy.load(tmp_path / "t.gapy").terms] == [(26,), ()]
    config.write_text('magnetic = "Fe"\n')
    for options, words in (
        (("--magnetic", "Co"), "magnetic: expected some of Fe"),
        (("--config", config), r'magnetic: expected chemical symbols such as ["Fe", "Co"]'),
    ):
        result = cli("fit", train, "-o", tmp_path / "no.gapy", *options, *small)
        assert result.code == 2 and words in result.err
    config.write_text('magnetic = ["Fe"]\n')
    result = cli("tune", train, "-o", tmp_path / "tuned", "--config", config)
    assert result.code == 2 and "magnetic: expected none in a search" in result.err


def test_mixed_densities_and_samples():
    """Several elements and a large basis: densities are mixed into fewer channels."""
    frames = []
    for k, atoms in enumerate(iron(20, 3)):
        atoms.symbols[k % 4] = "Co"
        frames.append(atoms)
    soap = smooth_soap(["Fe", "Co"], r_cut=REACH, n_max=5, l_max=2)
    gp = gapy.SparseGPRegressor(MagneticSOAP(soap, ["Fe", "Co"]), n_inducing=30, n_components=64)
    potential = gp.fit(frames).potential_
    assert type(potential.terms[0].descriptor.inner).__name__ == "MixedSOAP"
    atoms = frames[0]
    out = potential.evaluate(atoms)

    def energy(moved):
        return potential.evaluate(moved).energy

    assert -along_atom(energy, atoms, 1, 0) == pytest.approx(out.forces[1, 0], abs=1e-7)
    turned = reordered(atoms, -signs_of(atoms))
    assert potential.evaluate(turned).energy == out.energy
    committee = potential.sample(8)
    members = committee.evaluate(atoms, forces_members=True)
    for k in (0, 7):
        one = committee.potentials[k].evaluate(atoms)
        np.testing.assert_allclose(members.forces_members[k], one.forces, atol=1e-7)


def test_orders_of_iron_by_dft():
    """Spin-polarised PBE: what alternating moments cost, of geometries that the fit did not see."""
    if not IRON.exists():
        pytest.skip("the benchmarks are not beside these tests")
    frames = [atoms for atoms in read(IRON, ":") if len(atoms) == 2]
    left_out = [atoms.info["geometry"] % 3 == 1 for atoms in frames]
    train = [atoms for atoms, out in zip(frames, left_out) if not out]
    soap = smooth_soap(["Fe"], r_cut=4.5, n_max=5, l_max=3)
    gp = gapy.SparseGPRegressor(MagneticSOAP(soap, ["Fe"]), n_inducing=60, zeta=2, e0="fit")
    potential = gp.fit(train).potential_
    found = {}
    for atoms in (atoms for atoms, out in zip(frames, left_out) if out):
        order, group = atoms.info["config_type"].split("_")
        energies = atoms.info["REF_energy"], potential.evaluate(atoms).energy
        found.setdefault((group, atoms.info["geometry"]), {})[order] = np.array(energies)
    for one in found.values():
        dft, ours = one["afm"] - one["fm"]
        assert ours == pytest.approx(dft, rel=0.1)
