"""Value +- error of a property computed with every posterior sample."""

import numpy as np
import pytest
from ase.eos import EquationOfState
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

import gapy
from gapy.errors import GapyError
from gapy.gp.rows import structure_rows


@pytest.fixture(scope="module")
def committee(potential):
    return potential.sample(60, seed=0)


def energy(calculator, atoms):
    return calculator.get_potential_energy(atoms)


def test_linear_property_has_the_analytic_error_bar(potential, committee, test_frames):
    atoms = test_frames[0]
    row = structure_rows(potential.terms, atoms, forces=False).energy[None]
    _, variance = potential.posterior.explained_and_posterior(row)
    out = gapy.with_error(energy, committee, atoms)
    assert out.value == pytest.approx(potential.evaluate(atoms).energy)
    assert out.std == pytest.approx(float(np.sqrt(variance[0])), rel=4.0 / np.sqrt(2 * 60))
    assert out.samples.shape == (60,) and out.used == tuple(range(60)) and not out.failures
    np.testing.assert_allclose(out.samples, committee.evaluate(atoms).energy_members, atol=1e-9)
    assert " +- " in str(out)


def test_arrays_and_dicts(potential, test_frames):
    atoms = test_frames[3]
    few = potential.sample(5, seed=1)
    out = gapy.with_error(lambda calc: calc.get_forces(atoms), few)
    assert out.value.shape == out.std.shape == (4, 3) and out.samples.shape == (5, 4, 3)
    np.testing.assert_allclose(out.std, out.samples.std(axis=0, ddof=1))
    both = gapy.with_error(
        lambda calc: {"E": energy(calc, atoms), "stress": calc.get_stress(atoms)}, few
    )
    assert isinstance(both.value["E"], float) and isinstance(both.std["E"], float)
    assert both.samples["stress"].shape == (5, 6)
    assert str(both).startswith("E ") and ", stress " in str(both)


def test_relaxation_and_bulk_modulus(potential, test_frames):
    def properties(calculator):
        atoms = test_frames[0].copy()
        atoms.calc = calculator
        BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.05, steps=60)
        volumes, energies = [], []
        for s in np.linspace(0.97, 1.03, 7):
            scaled = atoms.copy()
            scaled.set_cell(atoms.cell * s, scale_atoms=True)
            volumes.append(scaled.get_volume())
            energies.append(energy(calculator, scaled))
        return {"v0": atoms.get_volume(), "B": EquationOfState(volumes, energies).fit()[2]}

    out = gapy.with_error(properties, potential.sample(4, seed=2))
    assert 0.0 < out.std["v0"] < 0.1 * out.value["v0"]
    assert out.std["B"] > 0.0


def test_failing_members_are_named(potential, test_frames):
    few = potential.sample(8, seed=1)

    def fragile(calculator):
        if calculator is few.members[2]:
            raise RuntimeError("no minimum")
        return float("nan") if calculator is few.members[5] else energy(calculator, test_frames[0])

    with pytest.warns(UserWarning, match="member 2 .RuntimeError: no minimum.; member 5"):
        out = gapy.with_error(fragile, few)
    assert out.used == (0, 1, 3, 4, 6, 7) and set(out.failures) == {2, 5}
    assert out.samples.shape == (6,)
    with pytest.raises(GapyError, match="at most 1 of 8 members to fail, got 2: member 2"):
        gapy.with_error(fragile, few, max_failures=1)


def test_other_shapes_and_names_count_as_failures(potential):
    few = potential.sample(4, seed=1)
    lengths = iter([3, 3, 3, 2, 3])
    with pytest.warns(UserWarning, match=r"member 2 \(shape \(2,\) instead of \(3,\)\)"):
        gapy.with_error(lambda calc: np.zeros(next(lengths)), few)
    names = iter(["a", "a", "b", "a", "a"])
    with pytest.warns(UserWarning, match="member 1 .other numbers than the mean: a, b"):
        gapy.with_error(lambda calc: {next(names): 1.0}, few)


@pytest.mark.parametrize("result", ["text", None, [1.0, "x"], 1j, {"a": None}])
def test_results_that_are_no_numbers(potential, result):
    with pytest.raises(GapyError, match="function: expected"):
        gapy.with_error(lambda calc: result, potential.sample(2))


def test_failure_of_the_mean_is_the_users_to_see(potential):
    def broken(calculator):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        gapy.with_error(broken, potential.sample(2))
    with pytest.raises(GapyError, match="expected finite numbers with the posterior mean"):
        gapy.with_error(lambda calc: float("inf"), potential.sample(2))
    with pytest.raises(GapyError, match="at least 2 members, got 1"):
        gapy.with_error(lambda calc: 1.0, potential.sample(1))
