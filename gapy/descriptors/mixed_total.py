"""Power spectrum of mixed densities with the total density of all species.

With the density coefficients c_ku of the whole descriptor, u a neighbour species s and a radial
function n, those of all species together c_kn = sum_s c_k(s n), and orthonormal columns U^l (U, q)
for each central species and each l,

    c'_kq = sum_u U^l_uq c_ku,      x'_(l q n) = sum_m c'_kq c_kn,

which is a linear map of the power spectrum of dscribe's compression "mu1nu1". The length does not
grow with the number of species, nor does the cost of the density; the total density keeps all of
its radial functions, so few mixed channels are enough to tell what is where.

Sources: Darby, Kermode and Csanyi, npj Comput. Mater. 8, 166 (2022) for the total density; for the
mixing see `gapy.descriptors.mixed`.
"""

from __future__ import annotations

import numpy as np

from gapy.descriptors.base import Environments
from gapy.descriptors.channels import Channels, mixed_with_total
from gapy.descriptors.mixed_densities import MixedDensities
from gapy.descriptors.radial_tables import RadialTables


class MixedTotalSOAP(MixedDensities):
    """Compiled SOAP of mixed densities with the total one: see `MixedDensities`."""

    compression = "mu1nu1"

    def _layout(self) -> tuple[Channels, RadialTables]:
        n_l, n_channels, q = self.mixing[0].shape
        of_whole, n = self.whole.channels, self.soap._n_max
        on = mixed_with_total(q, n, n_l - 1, len(of_whole.slots))
        self.n_features = on.n_features
        begin = -on.reach[0, 0, 1]  # of the total density's channels
        every = np.zeros((n_channels, n))
        every[: of_whole.n_summed * n] = np.tile(np.eye(n), (of_whole.n_summed, 1))
        columns = []
        for u_luq in self.mixing:
            both_luv = np.zeros((n_l, n_channels, begin + n))
            both_luv[:, :, :q] = u_luq
            both_luv[:, :, begin:] = every
            columns.append(both_luv)
        return on, self.whole.tables.mixed(columns, of_whole.slots, on.n_pad)

    def squared_length(self, env: Environments, begin: int, end: int, x_id) -> np.ndarray:
        """|x|^2 (b,) of the whole power spectrum: sum_l |C_l^T S_l|^2, S of the total density."""
        c_iku = self.whole.expand(env, begin, end)
        total = self.whole.n_densities * self.whole.channels.n_pad
        out = np.zeros(end - begin)
        for l in range(self.soap._l_max + 1):
            c_imu, s_imn = np.split(c_iku[:, l * l : (l + 1) ** 2], [total], axis=2)
            of_species, of_total = (a @ a.transpose(0, 2, 1) for a in (c_imu, s_imn))
            out += np.einsum("imn,imn->i", of_species, of_total)
        return out
