"""Channels of the density coefficients c_iku, and where their products stand in the power spectrum.

A channel u is a species slot times the padded number of radial functions, plus the function.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gapy._jit.vector import LANES
from gapy.descriptors.products import derivative_sources

NOWHERE = -(2**31)
"""Where channels enter a range that does not hold them."""


@dataclass(frozen=True)
class Channels:
    """What the kernels of `gapy._jit.soap` know of the channels; names as there.

    n_radial, n_pad: radial functions of a slot, and with the padding. shape (n_lm, U) of c of a
    centre. slots (K,): of each kind of neighbour, the species first. n_summed: how many slots, the
    first ones, count in a sum over species. blocks, index: of the power spectrum. reach (K, blocks,
    2): where the first channel of a kind of neighbour lies in the block's range of channels A or B;
    the range may begin after it, or hold none of its channels.
    """

    n_radial: int
    n_pad: int
    shape: tuple[int, int]
    n_features: int
    n_summed: int
    layout: np.ndarray
    slots: np.ndarray
    blocks: np.ndarray
    index: np.ndarray
    reach: np.ndarray

    @cached_property
    def derivative_sources(self) -> tuple[np.ndarray, np.ndarray]:
        """See `gapy.descriptors.products`."""
        return derivative_sources(self)


def channels_of(soap) -> Channels:
    """Those of a dscribe SOAP, with components in its order."""
    mode = soap.compression.get("mode", "off")
    n_species = len(soap._atomic_numbers)
    slots = np.zeros(n_species, dtype=np.int64) if mode == "mu2" else np.arange(n_species)
    return channels(mode, slots, soap._n_max, soap._l_max)


def channels(
    mode: str, slots: np.ndarray, n_radial: int, l_max: int, *, n_summed: int | None = None
) -> Channels:
    """For a compression mode of dscribe and the slot of each kind of neighbour (K,).

    n_summed: how many slots, the first ones, count in the sum of mu1nu1; all unless given.
    """
    n_slots = int(slots.max()) + 1
    n_summed = n_slots if n_summed is None else n_summed
    n = -(-n_radial // LANES) * LANES
    sum_slot = n_slots if mode == "mu1nu1" else -1
    if mode == "mu1nu1":
        channel_blocks = [(0, n * n_slots, n * sum_slot, n, 0)]
    elif mode == "crossover":
        channel_blocks = [(n * s, n, n * s, n, 1) for s in range(n_slots)]
    else:
        channel_blocks = [(0, n * n_slots, 0, n * n_slots, 1)]
    blocks, maps, offset = [], [], 0
    for block, index in zip(channel_blocks, _index_maps(mode, n_slots, n_radial, n, l_max)):
        blocks.append((*block, offset))
        maps.append(index.ravel())
        offset += index.size
    first = np.array([[a0, b0] for a0, _, b0, *_ in blocks])
    in_sum = np.where(slots < n_summed, sum_slot * n, NOWHERE)
    entered = np.stack([slots * n, in_sum], axis=1)
    index = np.ascontiguousarray(np.concatenate(maps), dtype=np.int64)
    return Channels(
        n_radial=n_radial,
        n_pad=n,
        shape=((l_max + 1) ** 2, n * (n_slots + (sum_slot >= 0))),
        n_features=int(index.max()) + 1,
        n_summed=n_summed,
        layout=np.array([l_max, n, n_summed, sum_slot], dtype=np.int64),
        slots=np.asarray(slots, dtype=np.int64),
        blocks=np.array(blocks, dtype=np.int64),
        index=index,
        reach=entered[:, None, :] - first,
    )


def mixed_with_total(q: int, n_radial: int, l_max: int, n_kinds: int) -> Channels:
    """Those of q mixed channels, which all species share, and after them the n_radial of the total
    density: components are products of one of either, (l, q, n)."""
    a, b = (-(-n // LANES) * LANES for n in (q, n_radial))
    index = np.full((l_max + 1, a, b), -1, dtype=np.int64)
    index[:, :q, :n_radial] = np.arange((l_max + 1) * q * n_radial).reshape(-1, q, n_radial)
    return Channels(
        n_radial=a + b,
        n_pad=a + b,
        shape=((l_max + 1) ** 2, a + b),
        n_features=(l_max + 1) * q * n_radial,
        n_summed=1,
        layout=np.array([l_max, a + b, 1, -1], dtype=np.int64),
        slots=np.zeros(n_kinds, dtype=np.int64),
        blocks=np.array([[0, a, a, b, 0, 0]], dtype=np.int64),
        index=index.ravel(),
        reach=np.tile([[[0, -a]]], (n_kinds, 1, 1)),
    )


def _index_maps(mode: str, n_slots: int, n: int, n_pad: int, l_max: int) -> list[np.ndarray]:
    """Where dscribe puts each (l, u, v): one [l, A, B] map for each channel block, -1 padding."""
    size = n_slots * n_pad
    if mode == "mu1nu1":
        s, l, k, kd = np.indices((n_slots, l_max + 1, n, n))
        out = np.full((l_max + 1, size, n_pad), -1, dtype=np.int64)
        out[l, s * n_pad + k, kd] = ((s * (l_max + 1) + l) * n + k) * n + kd
        return [out]
    full = np.full((l_max + 1, size, size), -1, dtype=np.int64)
    d = 0
    for s in range(n_slots):
        for t in range(s, n_slots if mode == "off" else s + 1):
            for l in range(l_max + 1):
                for k in range(n):
                    for kd in range(k if s == t else 0, n):
                        u, v = s * n_pad + k, t * n_pad + kd
                        full[l, u, v] = full[l, v, u] = d
                        d += 1
    if mode == "crossover":
        ranges = [slice(s * n_pad, (s + 1) * n_pad) for s in range(n_slots)]
        return [full[:, r, r].copy() for r in ranges]
    return [full]
