"""A descriptor seen through a linear map: y = P x, with one P for each central species.

P projects in the descriptor's metric |x|^2 = sum_d m_d x_d^2: the columns of P^T, `basis_dr`, are
m^(1/2) times orthonormal ones, and |x|^2 - |y|^2 is the squared length of what P does not see.
Values and derivatives are exact: dy/dr = P dx/dr, and backwards dE/dx = P^T dE/dy.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np

from gapy._jit.covariance import squares
from gapy._jit.few_rows import product, product_transposed
from gapy.descriptors.base import DerivativeBlock, Environments, Passes, species_slots
from gapy.descriptors.soap import CompiledSOAP
from gapy.errors import GapyError
from gapy.geometry.pairs import Pairs

CHUNK_BYTES = 8_000_000
"""Of derivatives that are not projected yet: near the cache, and large enough for the product."""


class ProjectedSOAP:
    """Compiled SOAP projected onto r directions, other ones for each central species.

    Arguments
    ---------
    inner : CompiledSOAP
    bases : (D, r) of each species slot, columns orthonormal over `metric_d`

    Raises GapyError for bases that do not fit the descriptor or one another.
    """

    takes_neighbours = True
    of_pairs = False

    def __init__(self, inner: CompiledSOAP, bases: Sequence[np.ndarray]):
        shapes = {basis_dr.shape for basis_dr in bases}
        n_slots = len(inner.species)
        fits = len(shapes) == 1 and len(bases) == n_slots
        if not fits or next(iter(shapes))[0] != inner.n_features:
            raise GapyError(
                f"bases: expected {n_slots} of shape ({inner.n_features}, r), one for each species "
                f"of the descriptor, got shapes {[b.shape for b in bases]}"
            )
        self.inner = inner
        self.bases = tuple(np.ascontiguousarray(b, dtype=float) for b in bases)
        self.kind, self.species = inner.kind, inner.species
        self.cutoff, self.periodic = inner.cutoff, inner.periodic
        self.magnetic = inner.magnetic
        self.is_smooth = inner.is_smooth
        self.n_features = self.bases[0].shape[1]

    def settings(self) -> dict:
        """Those of the descriptor without the projection."""
        return self.inner.settings()

    def arrays(self) -> dict[str, np.ndarray]:
        """The bases by species slot, and what the descriptor without them has."""
        bases = {f"projection{s}": basis_dr for s, basis_dr in enumerate(self.bases)}
        return self.inner.arrays() | bases

    def in_single(self) -> Passes:
        """As of the descriptor without the projection, which is in single precision, too."""
        twin = copy(self)
        twin.inner = self.inner.rounded()
        twin.bases = tuple(basis_dr.astype(np.float32) for basis_dr in self.bases)
        return Passes.of(twin)

    def select(self, numbers: np.ndarray, pairs: Pairs) -> Environments:
        """As the descriptor without the projection."""
        return self.inner.select(numbers, pairs)

    def environments(self, atoms) -> Environments:
        """As the descriptor without the projection."""
        return self.inner.environments(atoms)

    def create(self, system) -> np.ndarray:
        """y (n, r) of all atoms."""
        slots = species_slots(self.species, system.numbers)
        x_nd = self.inner.create(system)
        return np.stack([x_d @ self.bases[s] for x_d, s in zip(x_nd, slots)])

    def values(self, env: Environments, begin: int, end: int) -> np.ndarray:
        """y (b, r) of centres begin..end-1."""
        return product(self.inner.values(env, begin, end), self._basis(env, begin))

    def forward(self, env: Environments, begin: int, end: int):
        """What `backward` and `unseen` need, and y, of centres begin..end-1."""
        c_iku = self.inner.expand(env, begin, end)
        x_id = self.inner.spectrum(c_iku)
        y_ir = product(x_id, self._basis(env, begin)).astype(float, copy=False)
        square_i = np.empty(len(y_ir))
        squares(y_ir, square_i)  # now: the engine normalises y in place
        return (c_iku, x_id, square_i), y_ir

    def unseen(self, env: Environments, begin: int, end: int, state) -> np.ndarray:
        """|x|^2 - |y|^2 (b,) of what `forward` saw."""
        _, x_id, square_i = state
        return np.maximum(self.inner.squared_length(env, begin, end, x_id) - square_i, 0.0)

    def gradient_store(self, env: Environments) -> np.ndarray:
        """Room for what `backward` leaves of all centres."""
        return self.inner.gradient_store(env)

    def backward(self, env: Environments, begin, end, state, g_ir, store) -> None:
        """Leave in `store` what dE/dy = g_ir (b, r) of centres begin..end-1 means for pairs."""
        basis_dr = self._basis(env, begin)
        g_id = product_transposed(g_ir.astype(basis_dr.dtype, copy=False), basis_dr)
        self.inner.backward(env, begin, end, state[0], g_id, store)

    def collect(self, env: Environments, begin, end, store, forces, virial, first_m=None) -> None:
        """Add forces (n, 3) and dE/d(strain) of centres begin..end-1 from `store`."""
        self.inner.collect(env, begin, end, store, forces, virial, first_m)

    def gradient_store_members(self, env: Environments) -> np.ndarray:
        """Room for `backward_members`."""
        return self.inner.gradient_store_members(env)

    def backward_members(self, env: Environments, begin, end, state, g_irv, store) -> None:
        """As `backward` for eight energies at once, members on the last axis."""
        g_idv = np.matmul(self._basis(env, begin), g_irv)
        self.inner.backward_members(env, begin, end, state[0], g_idv, store)

    def collect_members(self, env: Environments, store, forces_ncv, virial_ccv) -> None:
        """As `collect` for eight energies at once."""
        self.inner.collect_members(env, store, forces_ncv, virial_ccv)

    def derivative_block(self, env: Environments, begin: int, end: int) -> DerivativeBlock:
        """y and dy/dr of centres begin..end-1; those of x only for a few centres at a time."""
        basis_dr = self._basis(env, begin)
        lo, hi = env.first_i[begin], env.first_i[end]
        y_ir = np.empty((end - begin, self.n_features))
        dy_pcr = np.empty((hi - lo, 3, self.n_features))
        budget = max(CHUNK_BYTES // (24 * self.inner.n_features), 1)
        start = begin
        while start < end:
            stop = start + 1
            while stop < end and env.first_i[stop + 1] - env.first_i[start] <= budget:
                stop += 1
            block = self.inner.derivative_block(env, start, stop)
            np.matmul(block.x_id, basis_dr, out=y_ir[start - begin : stop - begin])
            part = dy_pcr[env.first_i[start] - lo : env.first_i[stop] - lo]
            # One product: of a stack of them each would be too small to run at full speed.
            dx_md = block.dx_pcd.reshape(-1, self.inner.n_features)
            np.matmul(dx_md, basis_dr, out=part.reshape(-1, self.n_features))
            start = stop
        return DerivativeBlock(
            atom_i=env.atom_i[begin:end],
            x_id=y_ir,
            first_i=env.first_i[begin : end + 1] - lo,
            j_p=env.j_p[lo:hi],
            dx_pcd=dy_pcr,
            r_pc=env.r_pc[lo:hi],
        )

    def _basis(self, env: Environments, begin: int) -> np.ndarray:
        return self.bases[env.species_i[begin]]
