"""SOAP of a block of centres: density coefficients -> power spectrum, and the reverse.

Array suffixes: i centre in the block, p neighbour pair, c Cartesian, k = l*l + l + m,
u, v channels, d descriptor component, last axis of eight lanes v in harmonics.

    c_iku = sum_p w(species of p) R_ln(r_p) S_lm(r_p / |r_p|)

(`gapy._jit.density`) with the weighting function, the normalisation of the density and the square
root of the power spectrum's prefactor in the radial table R. A channel u is a species slot times
the padded n_max plus n; padding to eight lets every innermost loop be one vector operation. With
mu1nu1 compression a last "sum" slot holds the sum over species.

Power spectrum: for each block of channel pairs (u in A, v in B) and each l

    x_d = sum_m c_ku c_kv,   d = index[l, u, v]  (-1: padding).

Symmetric blocks (A = B) hold every unordered pair once.

`blocks` rows: a0, a_len, b0, b_len, symmetric, offset of the block's index map.
`layout`: l_max, padded n_max, number of slots in the sum, sum slot (-1: none).
"""

from gapy._jit.aligned import aligned
from gapy._jit.settings import FAST, njit
from gapy._jit.vector import LANES, axpy8, load8, store8, zero8


@njit(cache=True, nogil=True, fastmath=FAST)
def power_spectrum(c_iku, l_max, blocks, index, x_id):
    """x_id from c_iku."""
    n_channels = c_iku.shape[2]
    gram = aligned(n_channels, c_iku)
    for i in range(c_iku.shape[0]):
        c = c_iku[i]
        x = x_id[i]
        for b in range(blocks.shape[0]):
            a0, na, b0, nb, symmetric = (
                blocks[b, 0], blocks[b, 1], blocks[b, 2], blocks[b, 3], blocks[b, 4],
            )  # fmt: skip
            for l in range(l_max + 1):
                at = blocks[b, 5] + l * na * nb
                for u in range(na):
                    first = u if symmetric else 0
                    for v0 in range(first - first % LANES, nb, LANES):
                        total = zero8(c)
                        for k in range(l * l, (l + 1) * (l + 1)):
                            total = axpy8(c[k, a0 + u], load8(c, k * n_channels + b0 + v0), total)
                        store8(gram, v0, total)
                    for v in range(first, nb):
                        d = index[at + u * nb + v]
                        if d >= 0:
                            x[d] = gram[v]


@njit(cache=True, nogil=True, fastmath=FAST)
def power_spectrum_backward(g_id, c_iku, layout, blocks, index, dc_iku):
    """dE/dc from dE/dx (g_id); the sum slot's share is passed on to its species."""
    l_max, n_pad, n_summed, sum_slot = layout[0], layout[1], layout[2], layout[3]
    n_channels = c_iku.shape[2]
    h_uv = aligned(n_channels * n_channels, c_iku).reshape(n_channels, n_channels)
    h_vu = aligned(n_channels * n_channels, c_iku).reshape(n_channels, n_channels)
    for i in range(c_iku.shape[0]):
        c = c_iku[i]
        dc = dc_iku[i]
        dc[:, :] = 0.0
        g = g_id[i]
        for b in range(blocks.shape[0]):
            a0, na, b0, nb, symmetric = (
                blocks[b, 0], blocks[b, 1], blocks[b, 2], blocks[b, 3], blocks[b, 4],
            )  # fmt: skip
            for l in range(l_max + 1):
                at = blocks[b, 5] + l * na * nb
                for u in range(na):
                    for v in range(nb):
                        d = index[at + u * nb + v]
                        h_uv[u, v] = g[d] if d >= 0 else 0.0
                    if symmetric:
                        h_uv[u, u] *= 2.0
                _apply(c, h_uv, l, a0, na, b0, nb, dc)
                if not symmetric:
                    for u in range(na):
                        for v in range(nb):
                            h_vu[v, u] = h_uv[u, v]
                    _apply(c, h_vu, l, b0, nb, a0, na, dc)
        if sum_slot >= 0:
            for k in range(c.shape[0]):
                for s in range(n_summed):
                    for n in range(n_pad):
                        dc[k, s * n_pad + n] += dc[k, sum_slot * n_pad + n]


@njit(cache=True, nogil=True, fastmath=FAST)
def _apply(c, h, l, u0, nu, v0, nv, out):
    """out[k, v0 + v] += sum_u c[k, u0 + u] h[u, v] for the orders k of one l."""
    width, n_channels = h.shape[1], c.shape[1]
    for k in range(l * l, (l + 1) * (l + 1)):
        for v in range(0, nv, LANES):
            here = k * n_channels + v0 + v
            total = load8(out, here)
            for u in range(nu):
                total = axpy8(c[k, u0 + u], load8(h, u * width + v), total)
            store8(out, here, total)
