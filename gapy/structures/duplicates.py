"""Structures that occur more than once in a data set."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from gapy.structures.labelled import LabelledStructure
from gapy.structures.spins import order_of

SAME = 1e-4  # A; coordinates written with five decimals round within this
# Labels further apart than this were not computed by one converged method.
ENERGY_TOLERANCE = 0.001  # eV/atom
FORCES_TOLERANCE = 0.05  # eV/A
STRESS_TOLERANCE = 0.001  # eV/A^3


def find_duplicates(
    structures: Sequence[LabelledStructure], magnetic: Collection[int] = ()
) -> tuple[list[str], list[str]]:
    """Messages on equal structures with equal labels, and on those whose labels differ.

    Equal: same species in the same order, same pbc, same order of the moments of the `magnetic`
    elements (atomic numbers), positions and cell within SAME. Each structure is compared with the
    first one of its kind.
    """
    groups = defaultdict(list)
    for k, s in enumerate(structures):
        order = order_of(s.atoms, magnetic).tobytes() if magnetic else b""
        groups[s.atoms.numbers.tobytes(), s.atoms.pbc.tobytes(), order].append(k)
    pairs = [pair for members in groups.values() for pair in _equal(structures, members)]
    repeated, contradicting = [], []
    for first, second in sorted(pairs):
        a, b = structures[first], structures[second]
        difference = _label_difference(a, b)
        if difference:
            contradicting.append(
                f"{b.where}: same structure as {a.where} but {difference}; expected one label, "
                + _remedy(a, b)
            )
        else:
            repeated.append(
                f"{b.where}: same structure as {a.where}, it counts twice; expected it once, "
                "remove one"
            )
    return repeated, contradicting


def _equal(
    structures: Sequence[LabelledStructure], members: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """(first, repeat) among structures of one composition, by sorting a random projection.

    The weights have |w|_1 = 1, so structures within SAME of each other stay so on the line: only
    its neighbours need the full comparison, and no rounding boundary can separate a pair.
    """
    if len(members) < 2:
        return
    x = np.array(
        [np.vstack([structures[k].atoms.positions, structures[k].atoms.cell]) for k in members]
    ).reshape(len(members), -1)
    weights = np.random.default_rng(0).standard_normal(x.shape[1])
    line = x @ (weights / np.abs(weights).sum())
    firsts: list[int] = []  # rows of x, in the order of the line, one of each kind within reach
    for row in np.argsort(line, kind="stable"):
        firsts = [f for f in firsts if line[row] - line[f] <= SAME]
        twin = next((f for f in firsts if np.abs(x[row] - x[f]).max() <= SAME), None)
        if twin is None:
            firsts.append(row)
        else:
            yield tuple(sorted((members[twin], members[row])))


def _remedy(a: LabelledStructure, b: LabelledStructure) -> str:
    """What to do about two labels of one structure."""
    species = set(a.atoms.numbers.tolist())
    if np.array_equal(order_of(a.atoms, species), order_of(b.atoms, species)):
        return "remove the wrong one"
    return "remove one, or fit with the magnetic elements: their moments have other signs"


def _label_difference(a: LabelledStructure, b: LabelledStructure) -> str:
    """The label of which two equal structures differ, in words; "" when they agree."""
    if a.energy is not None and b.energy is not None:
        gap = abs(a.energy - b.energy) / len(a.atoms)
        if gap > ENERGY_TOLERANCE:
            return f"energies differ by {gap:.3g} eV/atom"
    for name, unit, tolerance in (
        ("forces", "eV/A", FORCES_TOLERANCE),
        ("stress", "eV/A^3", STRESS_TOLERANCE),
    ):
        one, other = getattr(a, name), getattr(b, name)
        if one is not None and other is not None:
            gap = np.abs(one - other).max()
            if gap > tolerance:
                return f"{name} differ by {gap:.3g} {unit}"
    return ""
