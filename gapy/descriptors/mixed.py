"""Power spectrum of densities whose species and radial functions are mixed into few channels.

With the density coefficients c_ku of the whole descriptor, u a neighbour species and a radial
function, and orthonormal columns U^l (U, q) for each central species and each l,

    c'_kq = sum_u U^l_uq c_ku,      x'_(l q q') = sum_m c'_kq c'_kq',   q' >= q,

which is a linear map of the whole power spectrum. Its length does not grow with the number of
species, and neither does the cost of the density: a neighbour brings the radial functions
R'_lq(r) = sum_n U^l_(s n)q R_ln(r) of its species and the centre's, which are a table of their own.

Sources: Willatt, Musil and Ceriotti, Phys. Chem. Chem. Phys. 20, 29661 (2018) for mixed species;
Goscinski, Musil, Pozdnyakov, Nigam and Ceriotti, J. Chem. Phys. 155, 104106 (2021) for radial
functions from the data; Darby et al., Phys. Rev. Lett. 131, 028001 (2023) for both at once.
"""

from __future__ import annotations

import numpy as np

from gapy.descriptors.base import Environments
from gapy.descriptors.channels import Channels, channels
from gapy.descriptors.mixed_densities import MixedDensities
from gapy.descriptors.radial_tables import RadialTables


class MixedSOAP(MixedDensities):
    """Compiled SOAP of mixed densities: see `MixedDensities`; the whole one is not compressed."""

    compression = "off"

    def _layout(self) -> tuple[Channels, RadialTables]:
        slots = self.whole.channels.slots
        q, l_max = self.mixing[0].shape[2], self.soap._l_max
        on = channels("off", np.zeros_like(slots), q, l_max)
        self.n_features = on.n_features
        return on, self.whole.tables.mixed(self.mixing, slots, on.n_pad)

    @property
    def metric_d(self) -> np.ndarray:
        """Products of two channels stand for two components of the same value."""
        q = self.channels.n_radial
        once = np.array([1.0 if v == u else 2.0 for u in range(q) for v in range(u, q)])
        return np.tile(once, self.soap._l_max + 1)

    def squared_length(self, env: Environments, begin: int, end: int, x_id) -> np.ndarray:
        """|x|^2 (b,) of the whole power spectrum, in this metric: sum_l |c_l^T c_l|^2."""
        c_iku = self.whole.expand(env, begin, end)  # double of a rounded descriptor, too
        out = np.zeros(end - begin)
        for l in range(self.soap._l_max + 1):
            c_imu = c_iku[:, l * l : (l + 1) ** 2]
            gram_imm = c_imu @ c_imu.transpose(0, 2, 1)
            out += np.einsum("imn,imn->i", gram_imm, gram_imm)
        return out
