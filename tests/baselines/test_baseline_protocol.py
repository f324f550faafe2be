"""What holds for every baseline: the protocol, sums, settings by name."""

from dataclasses import dataclass

import numpy as np
import pytest
from ase import Atoms
from baseline_helpers import whole

from gapy.baselines import (
    KINDS,
    ZBL,
    Baseline,
    Contribution,
    FreeAtoms,
    System,
    from_settings,
    largest_cutoff,
    total,
)
from gapy.errors import GapyError

ATOMS = Atoms("SiHSi", [[0, 0, 0], [0, 0, 1.0], [0, 1.5, 0]])


@dataclass(frozen=True)
class Spring:
    """A baseline that is no sum over pairs: a total energy, from positions."""

    stiffness: float
    kind: str = "spring"
    pairwise: bool = False
    species: None = None
    cutoff: None = None

    def evaluate(self, system: System) -> Contribution:
        r_nc = system.positions
        return Contribution(
            np.zeros(len(r_nc)),
            -self.stiffness * r_nc,
            self.stiffness * r_nc.T @ r_nc,
            shared=0.5 * self.stiffness * float((r_nc**2).sum()),
        )

    def settings(self) -> dict:
        return {"stiffness": self.stiffness}


BASELINES = [FreeAtoms({"Si": -1.0, "H": -2.0}), ZBL(0.8, 2.0), Spring(0.3)]


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda b: b.kind)
def test_is_a_baseline(baseline):
    assert isinstance(baseline, Baseline)


def test_other_objects_are_no_baselines():
    assert not isinstance({"Si": -1.0}, Baseline)
    assert not isinstance(ATOMS, Baseline)


def test_total_is_the_sum():
    pairs = whole(ATOMS, 3.0).pairs
    system = System(ATOMS.numbers, pairs, ATOMS.positions)
    parts = [b.evaluate(system) for b in BASELINES]
    found = total(BASELINES, system)
    assert found.energy == pytest.approx(sum(p.energy for p in parts), rel=1e-14)
    assert found.shared == parts[2].shared > 0
    for name in ("energies", "forces", "virial"):
        expected = sum(getattr(p, name) for p in parts)
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-14, atol=0)


def test_total_of_none_is_zero():
    found = total([], System(ATOMS.numbers))
    assert found.energy == 0.0 and found.energies.shape == (3,)
    assert not found.forces.any() and not found.virial.any()


def test_one_list_of_pairs_serves_all():
    assert largest_cutoff([]) is largest_cutoff(BASELINES[::2]) is None
    assert largest_cutoff([*BASELINES, ZBL(1.0, 2.5)]) == 2.5


@pytest.mark.parametrize(
    "kind, settings, message",
    [
        ("zlb", {}, "baseline: expected one of free_atoms, zbl, .*, got 'zlb'; correct the name"),
        ("zbl", {"r_inner": 1.0}, "expected the keys inner, outer, switches, species, got 'r_inn"),
        ("zbl", [1.0, 2.0], "baseline zbl: expected names and values, got"),
        ("free_atoms", {}, "baseline free_atoms: expected a value of e0, got none; add it"),
    ],
)
def test_settings_that_no_baseline_gave_are_refused(kind, settings, message):
    with pytest.raises(GapyError, match=message):
        from_settings(kind, settings)


def test_kinds_are_their_names():
    assert all(cls.kind == kind for kind, cls in KINDS.items())
    assert from_settings("zbl", {}) == ZBL()
