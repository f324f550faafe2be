"""The radial part of a density in tables: of one SOAP, or of densities mixed into channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gapy._jit import radial as _radial
from gapy._jit.aligned import aligned_copy
from gapy.descriptors.radial_basis import central_weight, radial_functions


@dataclass(frozen=True)
class RadialTables:
    """What the kernels of `gapy._jit.density` look up for a neighbour; names as there.

    table (T, intervals, degree + 1, (l_max + 1) n_pad): polynomials of R_ln in r on intervals of
    length 1 / inv_h (`gapy._jit.radial`).
    table_ss (S, K): which of them serves a centre of one species and a neighbour of some kind;
    kinds are the species unless `of_kinds` has made more. weights (K,): of a neighbour.
    central_sn (S, n_pad): R_0n of the centre itself.
    Channels are padded to n_pad, whole vectors of the processor; the padding stays zero throughout.
    """

    table: np.ndarray
    inv_h: float
    table_ss: np.ndarray
    weights: np.ndarray
    central_sn: np.ndarray

    @classmethod
    def of_soap(cls, soap, cutoff: float, n_pad: int) -> RadialTables:
        """Those of a dscribe SOAP up to `cutoff` (A): one table for all species."""
        n, n_species = soap._n_max, len(soap._atomic_numbers)
        table, inv_h = _radial.build_table(lambda r: radial_functions(soap, r), cutoff)
        padded = np.zeros((1, *table.shape[:2], soap._l_max + 1, n_pad))
        padded[0, ..., :n] = table.reshape(*table.shape[:2], soap._l_max + 1, n)
        weights = np.ascontiguousarray(soap._species_weights, dtype=float)
        at_zero = radial_functions(soap, np.zeros(1), weighted=False)[0, :n]
        central_sn = np.zeros((n_species, n_pad))
        central_sn[:, :n] = at_zero * central_weight(soap) / np.sqrt(4.0 * np.pi)
        return cls(
            table=aligned_copy(padded.reshape(*padded.shape[:3], -1)),
            inv_h=inv_h,
            table_ss=np.zeros((n_species, n_species), dtype=np.int64),
            weights=weights,
            central_sn=central_sn * weights[:, None],
        )

    def in_single(self) -> RadialTables:
        """The same in single precision."""
        return replace(
            self,
            table=aligned_copy(_radial.in_single(self.table)),
            weights=self.weights.astype(np.float32),
            central_sn=self.central_sn.astype(np.float32),
        )

    def of_kinds(self, species_k: np.ndarray, factor_k: np.ndarray) -> RadialTables:
        """For neighbours of kinds (K,): the species of each, and a factor of its weight."""
        weights = self.weights[species_k] * factor_k
        return replace(self, table_ss=self.table_ss[:, species_k], weights=weights)

    def mixed(self, mixing: Sequence[np.ndarray], slots: np.ndarray, n_pad: int) -> RadialTables:
        """One table for each species and kind: R'_lq = sum_n U^l_(s n)q w R_ln.

        mixing: U (l_max + 1, slots n_max, q) of each central species; for tables that they share.
        slots (K,): of each kind of neighbour.
        """
        n_species, n_kinds = len(mixing), len(slots)
        n_l, n_channels, q = mixing[0].shape
        n = n_channels // (int(slots.max()) + 1)
        old = self.table.reshape(*self.table.shape[1:3], n_l, -1)[..., :n]
        table_ss = np.arange(n_species * n_kinds).reshape(n_species, n_kinds)
        table = np.zeros((table_ss.size, *old.shape[:3], n_pad))
        central_sn = np.zeros((n_species, n_pad))
        for s, u_luq in enumerate(mixing):
            for t, slot in enumerate(slots.tolist()):
                part_lnq = u_luq[:, slot * n : (slot + 1) * n]
                mixed = self.weights[t] * np.einsum("idln,lnq->idlq", old, part_lnq)
                table[table_ss[s, t], ..., :q] = mixed
            central_sn[s, :q] = self.central_sn[s, :n] @ u_luq[0, s * n : (s + 1) * n]
        return RadialTables(
            table=aligned_copy(table.reshape(*table.shape[:3], -1)),
            inv_h=self.inv_h,
            table_ss=table_ss,
            weights=np.ones(n_kinds),
            central_sn=central_sn,
        )

    def radial(self, r_p: np.ndarray, n_l: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """R_ln at distances r_p (A) as the densities have them, and dR/dr; (p, n_l, n) each."""
        values, slopes = np.empty((2, len(r_p), self.table.shape[-1]))
        _radial.radial_gradients(self.table, self.inv_h, r_p, values, slopes)
        shape = (len(r_p), n_l, -1)
        return values.reshape(shape)[..., :n], slopes.reshape(shape)[..., :n]
