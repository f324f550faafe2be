"""Distances as a descriptor: features of a Gaussian process over one function of r per pair.

    f_ab(r) = sum_s w_s phi_s(r),   phi(r) = fc(r) L^-1 e(r),   e_s(r) = exp(-(r - r_s)^2 / 2 l^2)
    L L^T = e_s(r_s') + JITTER,   x_i = 1/2 sum_j phi(r_ij)

so that phi(r) . phi(r') is the squared-exponential kernel times fc(r) fc(r'), as far as the
inducing distances r_s carry it: with one every half length or closer, to 1e-6. Feature s has the
weight w_s of prior variance 1, and the inducing points of a pair term are the unit vectors.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import ase.data
import numpy as np
import scipy.linalg

from gapy.descriptors.base import DerivativeBlock, Environments, known_slots
from gapy.geometry.pairs import Pairs, pairs_within

JITTER = 1e-8
"""Added to the kernel of the inducing distances, which lie close beside their length."""


class PairDescriptor:
    """Half the features of all distances r < cutoff of an atom, for each pair of species.

    Slots are pairs of species (a <= b), not central species: an atom is a centre in each slot that
    names it, and both ends of a pair have the same features, so that one function serves both.

    Arguments
    ---------
    species : atomic numbers
    cutoff : A
    length : of the kernel, A
    distances : (S, M) inducing distances of each slot, A, ascending
    transition : width (A) over which fc falls from 1 to 0 with two continuous derivatives
    """

    kind = "pair"
    periodic = True
    takes_neighbours = True
    of_pairs = True
    magnetic: tuple[int, ...] = ()

    def __init__(self, species, cutoff, length, distances, transition):
        self.species = tuple(sorted(int(z) for z in species))
        self.cutoff, self.length = float(cutoff), float(length)
        self.transition = float(transition)
        self.slots = tuple(combinations_with_replacement(self.species, 2))
        self.distances = np.array(distances, dtype=float)
        self.n_features = self.distances.shape[1]
        self._whiten = tuple(map(self._whitening, self.distances))

    def _whitening(self, r_s: np.ndarray) -> np.ndarray:
        k = np.exp(-0.5 * ((r_s[:, None] - r_s) / self.length) ** 2)
        k[np.diag_indices_from(k)] += JITTER
        lower = scipy.linalg.cholesky(k, lower=True)
        return scipy.linalg.solve_triangular(lower, np.eye(len(k)), lower=True).T

    def slot_name(self, slot: int) -> str:
        """Symbols of a slot, "Al-As"."""
        return "-".join(ase.data.chemical_symbols[z] for z in self.slots[slot])

    def settings(self) -> dict[str, Any]:
        """Plain JSON, all of it."""
        return {
            "species": [ase.data.chemical_symbols[z] for z in self.species],
            "r_cut": self.cutoff,
            "length": self.length,
            "transition": self.transition,
            "distances": self.distances.tolist(),
        }

    @classmethod
    def from_settings(cls, settings: dict) -> PairDescriptor:
        """The descriptor that gave these settings."""
        numbers = [ase.data.atomic_numbers[s] for s in settings["species"]]
        return cls(
            numbers, settings["r_cut"], settings["length"], settings["distances"],
            settings["transition"],
        )  # fmt: skip

    def arrays(self) -> dict[str, np.ndarray]:
        """None."""
        return {}

    def features(self, slot: int, r_p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """phi and d phi / dr (P, M) of distances (P,) of a pair of species."""
        away = (r_p[:, None] - self.distances[slot]) / self.length
        e = np.exp(-0.5 * away**2)
        de = -away / self.length * e
        f, df = self._fading(r_p)
        phi, slope = e @ self._whiten[slot], de @ self._whiten[slot]
        return phi * f[:, None], slope * f[:, None] + phi * df[:, None]

    def _fading(self, r_p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """fc(u) = 1 - 10 u^3 + 15 u^4 - 6 u^5, u = (r - cutoff) / transition + 1, and its slope."""
        u = np.clip((r_p - self.cutoff) / self.transition + 1.0, 0.0, 1.0)
        fc = 1.0 - u**3 * (10.0 - 15.0 * u + 6.0 * u**2)
        return fc, -30.0 * u**2 * (1.0 - u) ** 2 / self.transition

    # -- environments: the centres of a slot are all atoms of either species ---------------------

    def environments(self, atoms) -> Environments:
        """Of an ASE structure."""
        return self.select(atoms.numbers, pairs_within(atoms, self.cutoff))

    def select(self, numbers: np.ndarray, pairs: Pairs) -> Environments:
        """Of a pair list at this cutoff or a larger one."""
        known = known_slots(self.species, numbers)
        place_c = np.repeat(np.arange(len(pairs)), np.diff(pairs.first_i))
        near = np.einsum("pc,pc->p", pairs.r_pc, pairs.r_pc) < self.cutoff**2
        ends = known[pairs.centre_i[place_c]], known[pairs.j_p]
        near &= (ends[0] >= 0) & (ends[1] >= 0)
        atom_i, first_i, taken, species_i = [], [0], [], []
        low, high = np.minimum(*ends), np.maximum(*ends)
        index = {z: s for s, z in enumerate(self.species)}
        for slot, (a, b) in enumerate(self.slots):
            own = np.flatnonzero(near & (low == index[a]) & (high == index[b]))
            centres, counts = np.unique(place_c[own], return_counts=True)
            atom_i.append(pairs.centre_i[centres])
            species_i.append(np.full(len(centres), slot))
            first_i += (first_i[-1] + np.cumsum(counts)).tolist()
            taken.append(own)
        order = np.concatenate(taken) if taken else np.empty(0, dtype=int)
        slots_i = np.concatenate(species_i).astype(np.int32)
        start_s = np.zeros(len(self.slots) + 1, dtype=np.int64)
        np.cumsum(np.bincount(slots_i, minlength=len(self.slots)), out=start_s[1:])
        return Environments(
            np.concatenate(atom_i), slots_i, start_s, np.array(first_i, dtype=np.int64),
            pairs.j_p[order], pairs.r_pc[order], known[pairs.j_p[order]],
        )  # fmt: skip

    def create(self, system) -> np.ndarray:
        """x (n, M) of all atoms, slots added up."""
        env, x_nd = self.environments(system), np.zeros((len(system), self.n_features))
        for slot in range(len(self.slots)):
            for begin, end in env.blocks(slot):
                x_nd[env.atom_i[begin:end]] += self.values(env, begin, end)
        return x_nd

    def values(self, env: Environments, begin: int, end: int) -> np.ndarray:
        """x (b, M) of centres begin..end-1 of one slot."""
        return self.derivative_block(env, begin, end).x_id

    def derivative_block(self, env: Environments, begin: int, end: int) -> DerivativeBlock:
        """x and dx/dr of centres begin..end-1 of one slot."""
        span = slice(env.first_i[begin], env.first_i[end])
        first_i, r_pc = env.first_i[begin : end + 1] - span.start, env.r_pc[span]
        r_p = np.linalg.norm(r_pc, axis=1)
        phi, slope = self.features(int(env.species_i[begin]), r_p)
        x_id = 0.5 * np.add.reduceat(phi, first_i[:-1], axis=0)  # each centre has a pair
        dx_pcd = np.ascontiguousarray((0.5 * slope)[:, None, :] * (r_pc / r_p[:, None])[:, :, None])
        return DerivativeBlock(env.atom_i[begin:end], x_id, first_i, env.j_p[span], dx_pcd, r_pc)

    # -- reverse mode: slow and plain, `gapy.model.pair_table` is what a force call uses ----------

    def forward(self, env: Environments, begin: int, end: int) -> tuple[Any, np.ndarray]:
        """The derivatives, and x (b, M)."""
        block = self.derivative_block(env, begin, end)
        return block, block.x_id

    def unseen(self, env: Environments, begin: int, end: int, state) -> None:
        """Nothing is left out."""

    def gradient_store(self, env: Environments) -> np.ndarray:
        """dE/dr of every pair, (P, 3)."""
        return np.zeros((len(env.j_p), 3))

    def backward(self, env: Environments, begin: int, end: int, state, g_id, store) -> None:
        """dE/dr of the pairs of centres begin..end-1."""
        g_pd = np.repeat(g_id, np.diff(state.first_i), axis=0)
        store[env.first_i[begin] : env.first_i[end]] = np.einsum("pcd,pd->pc", state.dx_pcd, g_pd)

    def collect(self, env: Environments, begin, end, store, forces, virial, first_m=None) -> None:
        """Add forces (n, 3) and dE/d(strain) of centres begin..end-1."""
        span = slice(env.first_i[begin], env.first_i[end])
        centre_p = np.repeat(env.atom_i[begin:end], np.diff(env.first_i[begin : end + 1]))
        np.add.at(forces, centre_p, store[span])
        np.subtract.at(forces, env.j_p[span], store[span])
        if first_m is None:
            virial += store[span].T @ env.r_pc[span]
            return
        owner_p = np.searchsorted(first_m, centre_p, side="right") - 1
        np.add.at(virial, owner_p, store[span][:, :, None] * env.r_pc[span][:, None, :])
