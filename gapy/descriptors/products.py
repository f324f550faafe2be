"""Which products of densities a component of the power spectrum is made of, as a neighbour moves.

A neighbour of kind s moves the channels of its own species, and those of a sum over species. The
kernel of the derivatives (`gapy._jit.soap_derivatives`) multiplies what moves by all channels that
it meets in a block of components, and reads from a table which of these products each component is
the sum of: of a square two equal ones, of a product that does not change none.
"""

from __future__ import annotations

import numpy as np


def derivative_sources(channels) -> tuple[np.ndarray, np.ndarray]:
    """(met_sq (K, Q, 2), source_skd (K, k, n_features)) for `spectrum_derivatives`.

    channels: `gapy.descriptors.channels.Channels`. Components with fewer than k products have the
    zero after the last product for the others.
    """
    kinds = range(len(channels.slots))
    met_sq = np.zeros((len(kinds), 2 * len(channels.blocks), 2), dtype=np.int64)
    tables = [_sources(channels, s, met_sq[s]) for s in kinds]
    most = max(len(table) for table, _ in tables)
    source_skd = np.empty((len(kinds), most, channels.n_features), dtype=np.int64)
    for s, (table, zero) in enumerate(tables):
        source_skd[s, : len(table)], source_skd[s, len(table) :] = table, zero
    return met_sq, source_skd


def _sources(channels, s: int, met_q) -> tuple[np.ndarray, int]:
    """Table (k, n_features) for a kind of neighbour, and where the zero is; fills met_q (Q, 2)."""
    n_l, n_pad = int(channels.layout[0]) + 1, channels.n_pad
    components, products, at = [], [], 0
    for b, (a0, na, b0, nb, symmetric, first) in enumerate(channels.blocks.tolist()):
        d_lab = channels.index[first : first + n_l * na * nb].reshape(n_l, na, nb)
        sides = [(d_lab, b0, nb), (d_lab.transpose(0, 2, 1), a0, na)]
        for side, (d_luv, other, n_other) in enumerate(sides[: 1 if symmetric else 2]):
            enters = int(channels.reach[s, b, side])
            n = np.arange(max(0, -enters), min(n_pad, d_luv.shape[1] - enters))
            if not len(n):
                continue
            met_q[2 * b + side] = other, n_other
            of_lvn = at + np.arange(n_l * n_other * n_pad).reshape(n_l, n_other, n_pad)
            at += of_lvn.size
            d_lnv, of_lnv = d_luv[:, enters + n], of_lvn.transpose(0, 2, 1)[:, n]
            components.append(d_lnv.ravel())
            products.append(of_lnv.ravel())
            if symmetric:  # both factors of a square change
                here = np.arange(len(n)), enters + n
                components.append(d_lnv[:, *here].ravel())
                products.append(of_lnv[:, *here].ravel())
    d, of = np.concatenate([[], *components]).astype(int), np.concatenate([[], *products])
    order = np.argsort(d, kind="stable")
    order = order[d[order] >= 0]  # not the padding
    d = d[order]
    turn = np.arange(len(d)) - np.searchsorted(d, d)  # which of the products of a component
    table = np.full((turn.max(initial=0) + 1, channels.n_features), at, dtype=np.int64)
    table[turn, d] = of[order]
    return table, at
