"""What a fit must know of all structures before it begins, gathered part by part."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from gapy.baselines import Composition, closer, closest_pairs, composition_of
from gapy.distributed.parts import Part
from gapy.fit.labels import without
from gapy.fit.parameter_checks import label_kinds
from gapy.fit.sample import drawn
from gapy.structures import Found, LabelKeys, LabelledStructure, check_structures, read_part

WARNINGS = 5
"""Warnings of one part that are passed on."""


@dataclass(frozen=True, eq=False)
class Summary:
    """Of some structures; summaries add up in any order.

    compositions: what e0 needs of each, baselines subtracted. closest: shortest distances, as
    `gapy.baselines.closest_pairs` has them. kinds: of labels by config_type.
    sample: the structures with the smallest seeded hashes. rare: for each species the one of them
    with the smallest hash. largest: the largest structure. found: where labels are. messages: what
    is odd.
    """

    compositions: tuple[Composition, ...]
    closest: dict[tuple[int, int], float]
    kinds: dict[str, set[str]]
    sample: tuple[LabelledStructure, ...]
    rare: dict[int, LabelledStructure]
    largest: LabelledStructure
    found: Found
    messages: tuple[str, ...]
    seed: int

    @property
    def n_structures(self) -> int:
        """Structures seen."""
        return len(self.compositions)

    @property
    def atoms(self) -> dict[int, int]:
        """Atoms by atomic number."""
        out: dict[int, int] = {}
        for one in self.compositions:
            for z, n in one.counts.items():
                out[z] = out.get(z, 0) + n
        return dict(sorted(out.items()))

    def fitted_kinds(self, fit_stress: bool) -> dict[str, set[str]]:
        """Kinds of labels by config_type, without stresses that are not fitted."""
        left_out = set() if fit_stress else {"stress"}
        return {name: held - left_out for name, held in self.kinds.items()}

    @property
    def typical(self) -> list[LabelledStructure]:
        """The sample, and structures of species that it lacks."""
        seen = {z for s in self.sample for z in s.atoms.numbers.tolist()}
        lacking = {s.digest(): s for z, s in sorted(self.rare.items()) if z not in seen}
        return [*self.sample, *lacking.values()]


def summary_of(part: Part, keys: LabelKeys, baselines, seed: int) -> Summary:
    """Read a part, check it and say what is in it.

    Raises StructureError or SpeciesError, naming file and frame, for what cannot be used.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        structures, found = read_part(*part, keys)
        # The descriptors are not known yet: every order may be looked at.
        species = {z for s in structures for z in s.atoms.numbers.tolist()}
        check_structures(structures, magnetic=species)
        less = [without(s, baselines) for s in structures]
    rare: dict[int, LabelledStructure] = {}
    salt = f"{seed}:".encode()
    by_hash = sorted(structures, key=lambda s: s.digest(salt))
    for s in reversed(by_hash):
        rare |= dict.fromkeys(np.unique(s.atoms.numbers).tolist(), s)
    return Summary(
        compositions=tuple(map(composition_of, less)),
        closest=closest_pairs(s.atoms for s in structures),
        kinds=label_kinds(structures),
        sample=drawn(structures, seed),
        rare=rare,
        largest=max(by_hash, key=lambda s: len(s.atoms)),
        found=found,
        messages=tuple(str(w.message) for w in caught[:WARNINGS]),
        seed=seed,
    )


def joined(a: Summary, b: Summary) -> Summary:
    """Of the structures of both."""
    salt = f"{a.seed}:".encode()
    kinds = {name: set(held) for name, held in a.kinds.items()}
    for name, held in b.kinds.items():
        kinds.setdefault(name, set()).update(held)
    rare = dict(a.rare)
    for z, s in b.rare.items():
        rare[z] = min((rare[z], s), key=lambda s: s.digest(salt)) if z in rare else s
    return replace(
        a,
        compositions=a.compositions + b.compositions,
        closest=closer(a.closest, b.closest),
        kinds=kinds,
        sample=drawn((*a.sample, *b.sample), a.seed),
        rare=rare,
        largest=max((a.largest, b.largest), key=lambda s: len(s.atoms)),
        found=a.found | b.found,
        messages=a.messages + b.messages,
    )
