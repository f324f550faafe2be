"""Checks of health pass for a potential that is right, and each fails for one that is not."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from toy_calculators import BOND, CUTOFF, Toy, constant, cut, hole, kinked, wavy

from gapy.baselines import FreeAtoms
from gapy.errors import GapyError
from gapy.validation.health import continuity, dimers, dynamics, randomly, squeezing
from gapy.validation.health.check import Settings
from gapy.validation.health.run import HEALTH, run_health, settings_of

CRYSTAL = bulk("Cu", "fcc", a=1.38 * BOND)
SETTINGS = Settings(cutoffs=(CUTOFF,), flag=0.5, shortest={(29, 29): 0.85 * BOND}, lowest=0.0)
QUICK = [name for name in HEALTH if name not in ("nve", "heating", "squeezing", "random")]


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(dynamics, "DRIFT_STEPS", 150)
    monkeypatch.setattr(dynamics, "HEAT_STEPS", 40)
    monkeypatch.setattr(dynamics, "LEAST_ATOMS", 4)
    monkeypatch.setattr(randomly, "NUMBER", 2)
    monkeypatch.setattr(randomly, "STEPS", 10)
    monkeypatch.setattr(randomly, "LEAST_ATOMS", 4)
    monkeypatch.setattr(continuity, "POINTS", 5)
    monkeypatch.setattr(squeezing, "PRESSURES", (0, 20, 100))


def verdicts(calculator, *names, atoms=CRYSTAL) -> dict[str, str]:
    found = run_health(calculator, atoms, SETTINGS, only=names or None)
    return {check.name: check.verdict for check in found}


def test_a_right_potential_passes_everything():
    found = verdicts(Toy(sigma=lambda atoms: constant(0.1 * stretch(atoms))(atoms), flag=0.5))
    assert found == dict.fromkeys(found, "pass")
    assert {"dimer Cu-Cu: minima", "bond Cu-Cu pulled", "NVE drift", "random structures"} <= {
        *found
    }


def stretch(atoms) -> float:
    """Distance of two atoms alone, A; 1 for anything else."""
    return 1.0 if len(atoms) != 2 else float(atoms.get_distance(0, 1))


def third_moment(results, atoms):
    """Energy that the mirror image does not share."""
    results["energy"] += 1e-3 * ((atoms.positions - atoms.positions.mean(axis=0))[:, 0] ** 3).sum()


def height(results, atoms):
    results["energy"] += 1e-3 * (atoms.positions[:, 2] ** 2).sum()


def first_is_special(results, atoms):
    results["forces"] = results["forces"] + np.arange(len(atoms))[:, None] * 1e-3


def square(results, atoms):
    results["energy"] = results["energy"] ** 2


def scaled(name, factor):
    def spoil(results, atoms):
        if name in results:
            results[name] = factor * results[name]

    return spoil


@pytest.mark.parametrize(
    ("name", "calculator"),
    [
        ("forces", Toy(spoil=scaled("forces", 1.001))),
        ("stress", Toy(spoil=scaled("stress", 1.001))),
        ("rotation", Toy(spoil=height)),
        ("translation", Toy(spoil=height)),
        ("permutation", Toy(spoil=first_is_special)),
        ("inversion", Toy(spoil=third_moment)),
        ("extensivity", Toy(spoil=square)),
        ("continuity", Toy(cut)),
        ("nve", Toy(spoil=scaled("forces", 1.3))),
        ("pulled", Toy(sigma=lambda a: constant(9.0 / stretch(a) ** 2)(a), flag=0.5)),
        ("heating", Toy(spoil=scaled("forces", 1e5), sigma=constant(0.1), flag=0.5)),
        ("squeezing", Toy(hole, sigma=constant(0.1), flag=0.5)),
        ("random", Toy(hole, sigma=constant(0.1), flag=0.5)),
    ],
)
def test_each_check_fails_for_a_potential_that_is_wrong(name, calculator):
    atoms = CRYSTAL if name != "random" else Atoms("Cu4", 9.0 * np.eye(4, 3))
    (verdict,) = verdicts(calculator, name, atoms=atoms).values()
    assert verdict == "fail"


@pytest.mark.parametrize("name", ["heating", "squeezing", "random"])
def test_what_goes_wrong_with_the_flag_up_passes(name):
    if name == "heating":
        calculator = Toy(spoil=scaled("forces", 1e5), sigma=constant(0.9), flag=0.5)
    else:
        calculator = Toy(hole, sigma=constant(0.9), flag=0.5)
    atoms = CRYSTAL if name != "random" else Atoms("Cu4", 9.0 * np.eye(4, 3))
    assert set(verdicts(calculator, name, atoms=atoms).values()) == {"pass"}


def test_waves_of_a_dimer_are_counted():
    found = {c.name.partition(": ")[2]: c for c in dimers.dimers(Toy(wavy), CRYSTAL, SETTINGS)}
    assert all(found[name].verdict == "fail" for name in ("force flips", "minima"))
    at, energy, force = dimers.scan(Toy(wavy), 29, 29, CUTOFF)
    np.testing.assert_allclose(np.gradient(energy, at)[5:-5], -force[5:-5], rtol=1e-3, atol=0.3)
    assert found["minima"].value == dimers.minima(energy) > 3
    assert dimers.minima(np.array([1.0, 0.0, 1.0])) == 1 == dimers.flips(np.array([1.0, 0, -1.0]))


def test_a_kink_in_the_well_of_a_dimer_is_not_smooth_and_attraction_at_short_range_is_found():
    verdict = {c.name: c.verdict for c in dimers.dimers(Toy(kinked), CRYSTAL, SETTINGS)}
    assert verdict["dimer Cu-Cu: smooth"] == "fail" and verdict["dimer Cu-Cu: minima"] == "pass"
    verdict = {c.name: c.verdict for c in dimers.dimers(Toy(hole), CRYSTAL, SETTINGS)}
    assert verdict["dimer Cu-Cu: repulsive"] == "fail"


def test_one_atom_a_slab_and_a_wire_have_what_holds_of_any():
    alone = verdicts(Toy(), "forces", "rotation", atoms=Atoms("Cu", cell=np.zeros((3, 3))))
    assert set(alone.values()) == {"pass"}
    for pbc in ((True, True, False), (False, False, True)):
        sheet = CRYSTAL.repeat((2, 2, 2))
        sheet.pbc = pbc
        assert verdicts(Toy(), "extensivity", atoms=sheet) == {"extensivity": "pass"}


def test_free_atoms_couple_no_copies(potential):
    """A baseline without pairs has no cutoff, and is not without an end."""
    free = replace(potential, baselines=(FreeAtoms({"Al": 1.0, "Cu": 2.0}),))
    assert not settings_of(free, potential.calculator(uncertainty=True)).endless


def test_what_has_no_sigma_or_no_cell_is_skipped():
    found = verdicts(Toy(), "pulled", "heating", "squeezing", "random")
    assert set(found.values()) == {"skipped"}
    unknown = Settings(cutoffs=(CUTOFF,))
    sure = Toy(sigma=constant(0.1), flag=0.5)
    alone = run_health(sure, CRYSTAL, unknown, only=["heating", "squeezing", "random"])
    assert {c.verdict for c in alone} == {"skipped"}
    pair = Atoms("Cu2", [[0, 0, 0], [0, 0, BOND]])
    assert set(verdicts(Toy(), "stress", "squeezing", atoms=pair).values()) == {"skipped"}
    alone = verdicts(Toy(), "forces", "rotation", "translation", "extensivity", atoms=pair)
    assert set(alone.values()) == {"pass"}


def test_random_structures_below_a_metastable_start_are_no_fault_of_the_model():
    """A simple cubic start that others lie below, with and without the ground state known."""
    sure = Toy(sigma=constant(0.1), flag=0.5)
    start = Atoms("Cu", cell=3.4 * BOND * np.eye(3), pbc=True)  # atoms apart, no forces
    unknown = replace(SETTINGS, lowest=None)
    (check,) = run_health(sure, start, unknown, only=["random"])
    assert check.verdict == "skipped" and "no ground state is known" in check.note
    (check,) = run_health(sure, start, replace(SETTINGS, lowest=-9.0), only=["random"])
    assert check.verdict == "pass"
    (check,) = run_health(sure, CRYSTAL, unknown, only=["random"])
    assert check.verdict == "pass"


def test_settings_are_those_of_the_model(potential):
    calculator = potential.calculator(uncertainty=True)
    settings = settings_of(potential, calculator, seed=3)
    assert settings.cutoff == pytest.approx(potential.pairs_cutoff)
    assert settings.flag == calculator.largest_force_std > 0.0
    assert settings.shortest == calculator.shortest_distances
    with pytest.raises(GapyError, match="cutoffs: expected positive lengths"):
        Settings(cutoffs=())
    with pytest.raises(GapyError, match="checks: expected some of forces"):
        run_health(calculator, CRYSTAL, settings, only=["colour"])


def test_a_fitted_potential_passes_what_holds_of_any(potential):
    calculator = potential.calculator(uncertainty=True)
    settings = settings_of(potential, calculator)
    alloy = bulk("Cu", a=3.8, cubic=True)
    alloy.symbols = ["Cu", "Cu", "Al", "Al"]
    names = [name for name in QUICK if name not in ("dimers", "pulled")]
    found = run_health(calculator, alloy, settings, plain=potential.calculator(), only=names)
    assert {c.name: c.verdict for c in found} == {c.name: "pass" for c in found}
    assert all(c.to_dict()["value"] == c.value for c in found)
