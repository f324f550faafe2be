"""What the pair terms of a model add: the posterior mean of each is one function of r per pair.

    eps_i += 1/2 sum_j f_ab(r_ij),   f_ab(r) = sum_s alpha_s phi_s(r)

tabulated, so that its cost does not know how many inducing distances there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gapy._jit.pair_table import sum_pairs
from gapy.baselines import Contribution
from gapy.descriptors.base import known_slots
from gapy.gp.rows import structure_rows
from gapy.gp.terms import local_prior

KNOTS = 4001
"""Cubic interpolation of functions as smooth as these is then off by 1e-10 of their size, and its
derivative by 1e-8 of it per A (tests/model/test_pair_table.py)."""


@dataclass(frozen=True, eq=False)
class PairTable:
    """The functions of one pair term for some weights.

    knots_tk (T, KNOTS, 2): f (eV) and its slope times the spacing (eV), of each slot of the term;
    table_ss (S, S): the slot of two species.
    """

    species: tuple[int, ...]
    cutoff: float
    table_ss: np.ndarray
    knots_tk: np.ndarray

    @property
    def spacing(self) -> float:
        """Between knots, A."""
        return self.cutoff / (self.knots_tk.shape[1] - 1)

    def add(self, numbers, pairs, structure_n, to: Contribution) -> None:
        """Add energies, forces and virials (m, 3, 3) of the centres of `pairs` to `to`."""
        sum_pairs(
            pairs.centre_i, pairs.first_i, pairs.j_p, pairs.r_pc,
            known_slots(self.species, numbers), self.table_ss, self.knots_tk, self.spacing,
            self.cutoff, structure_n, to.energies, to.forces, to.virial,
        )  # fmt: skip


def pair_tables(terms, blocks, alpha: np.ndarray) -> tuple[PairTable, ...]:
    """Of each pair term, for weights alpha (M,) eV."""
    out = []
    for t, term in enumerate(terms):
        if not term.of_pairs:
            continue
        descriptor = term.descriptor
        n = len(descriptor.species)
        table_ss = np.zeros((n, n), dtype=np.int64)
        for slot, pair in enumerate(descriptor.slots):
            a, b = (descriptor.species.index(z) for z in pair)
            table_ss[a, b] = table_ss[b, a] = slot
        knots_tk = np.zeros((len(descriptor.slots), KNOTS, 2))
        r_k = np.linspace(0.0, descriptor.cutoff, KNOTS)
        for b in blocks:
            if b.term == t:
                phi, slope = descriptor.features(b.slot, r_k)
                # Of fewer points than there are features after pruning.
                weights = b.x_sd.T @ alpha[b.columns]
                knots_tk[b.slot] = np.stack([phi @ weights, slope @ weights * r_k[1]], axis=1)
        out.append(PairTable(descriptor.species, descriptor.cutoff, table_ss, knots_tk))
    return tuple(out)


def summed(tables: Sequence[PairTable], numbers, pairs, first_m=None) -> Contribution:
    """What tables add; with a virial for each of the structures that `first_m` divides atoms into,
    one in all without it."""
    n_structures = 1 if first_m is None else len(first_m) - 1
    structure_n = np.zeros(len(numbers), dtype=np.int64)
    if first_m is not None:
        structure_n += np.repeat(np.arange(n_structures), np.diff(first_m))
    out = Contribution(
        np.zeros(len(numbers)), np.zeros((len(numbers), 3)), np.zeros((n_structures, 3, 3))
    )
    for table in tables:
        table.add(numbers, pairs, structure_n, out)
    return out if first_m is not None else Contribution(out.energies, out.forces, out.virial[0])


def local_variances(potential, numbers, envs) -> np.ndarray:
    """Posterior variances (n,) eV^2 of local energies of all terms, pairs too, by their rows.

    k** is delta^2 for each term that describes an environment, and the double sum over its pairs
    of delta^2 phi . phi / 4 for a pair term.
    """
    terms, posterior = potential.terms, potential.posterior
    rows: Any = structure_rows(
        terms, numbers, energy=False, local=True, forces=False,
        environments=[envs[id(t.descriptor)] for t in terms],
    ).local  # fmt: skip
    explained, left = posterior.explained_and_posterior(rows)
    prior = full_prior(terms, posterior, numbers, rows)
    return np.maximum(prior - explained, 0.0) + left


def full_prior(terms, posterior, numbers, rows: np.ndarray) -> np.ndarray:
    """Prior variances (n,) eV^2 of local energies with these rows."""
    prior = local_prior(terms, numbers)
    for b in posterior.blocks:
        if b.of_pairs:
            x_is = rows[:, b.columns]
            prior += b.delta**2 * np.einsum("is,is->i", x_is, x_is)
    return prior
