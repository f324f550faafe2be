"""Structures of one fit with their neighbours, found once for all passes over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np

from gapy._support.threads import ordered_map
from gapy.geometry.pairs import Pairs
from gapy.gp.neighbourhood import Neighbourhood, neighbourhood, pairs_of

KEPT_BYTES = 48_000_000
"""Memory that neighbourhoods may take between passes; those beyond it are found again."""


class Frames:
    """ASE structures, each with what every term sees of it.

    terms : what has a `descriptor`; the pair list is that of the largest cutoff
    """

    def __init__(self, structures: Sequence, terms: Sequence):
        self.atoms = list(structures)
        self._terms = tuple(terms)
        self._kept: dict[int, Neighbourhood] = {}
        self._left = KEPT_BYTES
        self._lock = Lock()
        # Others find neighbours themselves, and their derivatives take far more room.
        self._keeps = all(t.descriptor.takes_neighbours for t in terms)

    def __len__(self) -> int:
        return len(self.atoms)

    def neighbourhood(self, k: int) -> Neighbourhood:
        """Pairs and environments of structure k."""
        found = self._kept.get(k)
        if found is None:
            atoms = self.atoms[k]
            found = neighbourhood(self._terms, atoms, pairs_of(self._terms, atoms))
            self._keep(k, found._replace(environments=found.whole(self._terms)))
        return found

    def pairs(self, k: int) -> Pairs:
        """Pairs of structure k at the largest cutoff."""
        return self.neighbourhood(k).pairs

    def environments(self, k: int) -> list:
        """Environments of structure k for each term."""
        found = self.neighbourhood(k).environments
        return [found[id(t.descriptor)] for t in self._terms]

    def values(self, term: int, threads: int = 1) -> Iterator[list[tuple[int, np.ndarray]]]:
        """(slot, descriptors (b, D), not normalised) of one term, a list for each structure."""
        descriptor = self._terms[term].descriptor
        return self._each(term, threads, lambda slot, *block: (slot, descriptor.values(*block)))

    def seen(self, term: int, threads: int = 1) -> Iterator[list[tuple]]:
        """As `values`, with the squared length (b,) of what descriptors leave out, or None."""
        descriptor = self._terms[term].descriptor

        def of(slot: int, *block):
            state, x_id = descriptor.forward(*block)
            return slot, x_id, descriptor.unseen(*block, state)

        return self._each(term, threads, of)

    def _each(self, term: int, threads: int, of) -> Iterator[list]:
        """of(slot, environments, begin, end) of all blocks of centres, by structure."""
        n_slots = len(self._terms[term].descriptor.species)

        def structure(k: int):
            env = self.environments(k)[term]
            return [of(s, env, begin, end) for s in range(n_slots) for begin, end in env.blocks(s)]

        return ordered_map(structure, range(len(self)), threads)

    def seen_by(self, terms: Sequence) -> Frames:
        """The same structures for terms whose descriptors see the same environments as before."""
        other = Frames(self.atoms, terms)
        before = [id(t.descriptor) for t in self._terms]
        for k, found in self._kept.items():
            environments = {
                id(t.descriptor): found.environments[old] for t, old in zip(terms, before)
            }
            other._keep(k, Neighbourhood(found.pairs, environments))
        return other

    def _keep(self, k: int, found: Neighbourhood) -> None:
        size = _bytes(found) if self._keeps else KEPT_BYTES + 1
        with self._lock:
            if k not in self._kept and size <= self._left:
                self._left -= size
                self._kept[k] = found


def _bytes(found: Neighbourhood) -> int:
    """Memory of all arrays, each once."""
    arrays = {
        id(value): value.nbytes
        for owner in (found.pairs, *found.environments.values())
        for value in vars(owner).values()
        if isinstance(value, np.ndarray)
    }
    return sum(arrays.values())
