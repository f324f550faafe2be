"""Channels of the density coefficients c_iku, and where their products stand in the power spectrum.

A channel u is a species slot times the padded number of radial functions, plus the function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gapy._jit.vector import LANES


@dataclass(frozen=True)
class Channels:
    """What the kernels of `gapy._jit.soap` know of the channels; names as there.

    n_radial, n_pad: radial functions of a slot, and with the padding. shape (n_lm, U) of c of a
    centre. slots (K,): of each kind of neighbour, the species first.
    """

    n_radial: int
    n_pad: int
    shape: tuple[int, int]
    n_features: int
    layout: np.ndarray
    slots: np.ndarray
    blocks: np.ndarray
    index: np.ndarray
    reach: np.ndarray


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
    n_kinds, n_slots = len(slots), int(slots.max()) + 1
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
    reach = np.full((n_kinds, len(blocks), 2), -1, dtype=np.int64)
    for s in range(n_kinds):
        for b, (a0, na, b0, nb, symmetric, _) in enumerate(blocks):
            u = slots[s] * n
            if a0 <= u < a0 + na:
                reach[s, b, 0] = u - a0
            if slots[s] < n_summed and not symmetric and b0 <= sum_slot * n < b0 + nb:
                reach[s, b, 1] = 0
    index = np.ascontiguousarray(np.concatenate(maps), dtype=np.int64)
    return Channels(
        n_radial=n_radial,
        n_pad=n,
        shape=((l_max + 1) ** 2, n * (n_slots + (sum_slot >= 0))),
        n_features=int(index.max()) + 1,
        layout=np.array([l_max, n, n_summed, sum_slot], dtype=np.int64),
        slots=np.asarray(slots, dtype=np.int64),
        blocks=np.array(blocks, dtype=np.int64),
        index=index,
        reach=reach,
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
