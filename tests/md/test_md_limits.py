"""Without any threshold given, a run still stops before its atoms fuse or its numbers run away."""

import json
import math

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from md_calculators import Springs, ring, springs

from gapy.error_bars import calibration
from gapy.errors import GapyError
from gapy.md import run_md
from gapy.md.contacts import TRAINING_FRACTION, Contacts
from gapy.md.limits import SIGMA_FACTOR
from gapy.structures.checks import BOND_FRACTION


def collision():
    """Copper and aluminium atoms of a crystal that fly at one another with 2 eV each."""
    atoms = bulk("Cu", a=3.7, cubic=True) * 2
    atoms.numbers[1] = 13
    along = atoms.positions[1] - atoms.positions[0]
    momenta = np.zeros((len(atoms), 3))
    momenta[0] = along / np.linalg.norm(along) * math.sqrt(2.0 * 2.0 * 40.0)
    momenta[1] = -momenta[0]
    atoms.set_momenta(momenta)
    return atoms


def collide(calculator, directory, **options):
    return run_md(collision(), calculator, directory, ensemble="nve", steps=40, **options)


def test_sigma_is_limited_by_default(potential, tmp_path):
    calculator = potential.calculator(uncertainty=True)
    result = collide(calculator, tmp_path)
    expected = SIGMA_FACTOR * calculator.largest_force_std
    assert (result.status, result.limits["max_force_std"]) == ("flagged", expected)
    assert (
        f"max_force_std = {expected:.6g} eV/A (the default, 10 times the largest" in result.reason
    )
    frame = ase.io.read(result.frame_path)
    assert np.sqrt((frame.arrays["forces_std"] ** 2).mean(axis=1)).max() > expected
    assert {atom.index for atom in result.flagged_atoms} <= {0, 1}


def test_infinite_sigma_leaves_the_other_limits(potential, tmp_path):
    calculator = potential.calculator(uncertainty=True)
    result = collide(calculator, tmp_path, max_force_std=math.inf)
    least = TRAINING_FRACTION * potential.contacts.contact_ss[0, 1]
    assert result.status == "exploded"
    assert "Cu0 and Al1 are " in result.reason
    assert f"closer than min_distance = {least:.3g} A (the default, 0.7 of" in result.reason
    good = ase.io.read(tmp_path / "last_good.extxyz")
    assert good.info["step"] == result.n_steps and good.get_distance(0, 1) > least
    assert json.loads((tmp_path / "result.json").read_text())["limits"]["max_force_std"] is None


def test_without_uncertainty_contacts_are_limited(potential, tmp_path):
    result = collide(potential.calculator(), tmp_path)
    assert result.status == "exploded" and "atoms met at step" in result.reason
    assert math.isinf(result.limits["max_force_std"])


def test_limits_can_be_switched_off(potential, tmp_path):
    calculator = potential.calculator(uncertainty=True)
    result = collide(calculator, tmp_path / "off", max_force_std=math.inf, min_distance=0.0)
    assert result.status == "finished"
    result = collide(calculator, tmp_path / "own", max_force_std=math.inf, min_distance=2.2)
    assert "closer than min_distance = 2.2 A;" in result.reason


def test_calm_runs_are_far_from_every_limit(potential, train_frames, tmp_path):
    """The sigmas of the training structures are a small share of the default limit."""
    known = [potential.evaluate(a, force_std=True).forces_std.max() for a in train_frames]
    assert max(known) < 0.3 * SIGMA_FACTOR * potential.calibration.largest
    calculator = potential.calculator(uncertainty=True)
    assert run_md(collision()[2:], calculator, tmp_path, steps=20).status == "finished"


class Cliff(Springs):
    """Springs whose energy falls by 40 eV once atoms have moved."""

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        if np.abs(self.atoms.positions - self.sites).max() > 0.05:
            self.results["energy"] -= 40.0


def test_jump_of_the_energy(tmp_path):
    atoms = ring()
    result = run_md(atoms, Cliff(atoms.positions), tmp_path / "a", ensemble="nve", steps=200)
    assert result.status == "exploded"
    assert f"the total energy jumped at step {result.n_steps + 1} by -5 eV/atom" in result.reason
    options = {"ensemble": "nve", "steps": 200, "max_energy_jump": 6.0}
    result = run_md(atoms, Cliff(atoms.positions), tmp_path / "b", **options)
    assert result.status == "finished"


def test_start_beyond_a_limit(tmp_path):
    atoms = Atoms("Cu2", [[0, 0, 0], [0, 0, 0.5]])
    message = "Cu0 and Cu1 are 0.5 A apart, closer than .* covalent .* change that limit"
    with pytest.raises(GapyError, match=message):
        run_md(atoms, EMT(), tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_force_std": math.nan}, "max_force_std must be .* or inf for no limit, got nan"),
        ({"max_force_std": "inf"}, "max_force_std must be"),
        ({"max_force_std": -math.inf}, "max_force_std must be"),
        ({"max_energy_jump": 0.0}, "max_energy_jump must be a finite number > 0 in eV/atom"),
        ({"min_distance": -1.0}, "min_distance must be a finite number >= 0 in A"),
        ({"min_distance": math.inf}, "min_distance must be"),
    ],
)
def test_bad_limits(tmp_path, options, message):
    with pytest.raises(GapyError, match=message):
        run_md(ring(), springs(ring()), tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("pbc", [True, False])
def test_contacts_agree_with_all_distances(pbc):
    rng = np.random.default_rng(4)
    numbers = np.array([13, 29, 1] * 4)
    contacts = Contacts(numbers, {(13, 29): 1.5, (29, 29): 2.0})
    atoms = Atoms(numbers, rng.uniform(0.0, 5.0, (12, 3)), cell=[5.0] * 3, pbc=pbc)
    radii = {1: 0.31, 13: 1.21, 29: 1.32}

    def least(a, b):
        known = {(13, 29): 1.5, (29, 29): 2.0}.get((min(a, b), max(a, b)))
        return TRAINING_FRACTION * known if known else BOND_FRACTION * (radii[a] + radii[b])

    least_nn = np.array([[least(a, b) for b in numbers] for a in numbers])
    seen = set()
    for _ in range(60):
        atoms.positions += rng.normal(0.0, 0.15, (12, 3))
        ratio = atoms.get_all_distances(mic=pbc) / least_nn + 9.0 * np.eye(12)
        i, j = sorted(np.unravel_index(ratio.argmin(), ratio.shape))
        found = contacts.closest(atoms)
        seen.add(found is None)
        if ratio.min() >= 1.0:
            assert found is None
        else:
            assert found.startswith(f"{atoms[int(i)].symbol}{i} and {atoms[int(j)].symbol}{j} are ")
    assert seen == {True, False}


def test_largest_sigma_of_a_calibration():
    rng = np.random.default_rng(0)
    values = 10.0 ** rng.uniform(-7, -4, (3, 300))
    indicators = calibration.Indicators(*values, np.ones(300), np.zeros(300))
    errors, told = rng.normal(size=(300, 3)), np.ones(300, dtype=bool)
    found = calibration.calibrate_forces(errors, indicators, told, np.arange(300), 1.0)
    assert found.largest == found.sigma(indicators).max() == found.largest_seen
    numbers = found.to_dict()
    assert calibration.ForceCalibration.from_dict(numbers) == found
    # a file of before does not have it: the last point of the curve stands for it
    del numbers["largest"]
    old = calibration.ForceCalibration.from_dict(numbers)
    assert (old.largest, old.largest_seen) == (0.0, found.curve[-1][1])
    # without forces nothing was calibrated, and there is nothing to take many times of
    alone = calibration.calibrate_forces(errors, indicators, ~told, np.arange(300), 0.1)
    assert (alone.largest, alone.largest_seen) == (0.0, None)
