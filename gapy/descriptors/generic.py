"""Any local descriptor of dscribe (ACSF, LMBTR, ...) through its own `create` and `derivatives`.

The same fit and the same potential as with compiled SOAP, at the speed of dscribe: its
derivatives of these descriptors are numerical (central differences, step 1e-4 A), and strain
derivatives are made here the same way from `create`.
"""

from __future__ import annotations

import inspect
import math

import ase.data
import numpy as np

from gapy._support import voigt
from gapy.descriptors.base import DerivativeBlock, species_slots
from gapy.descriptors.dscribe_compat import mend_system
from gapy.descriptors.selection import Selection
from gapy.errors import GapyError
from gapy.geometry.neighbours import check_geometry
from gapy.geometry.pairs import Pairs

STRAIN_STEP = 1e-5
"""Central-difference strain; the error of an O(1) third derivative is 1e-11."""


class GenericEnvironments:
    """A structure seen through a dscribe descriptor; derivatives are made when first needed.

    Every atom counts as a neighbour of every centre, periodic images folded: pairs of centre i
    are all atoms j but itself, whose share follows from translation.
    """

    def __init__(self, dscribe_descriptor, atoms, species):
        n = len(atoms)
        others = np.array([[j for j in range(n) if j != i] for i in range(n)], dtype=np.int32)
        first_i = np.arange(n + 1) * (n - 1)
        nowhere = np.zeros((n * (n - 1), 3))
        pairs = Pairs(np.arange(n), first_i, others.reshape(-1), nowhere, np.inf)
        ordered = Selection(species, np.inf)(atoms.numbers, pairs)
        self.atom_i, self.species_i = ordered.atom_i, ordered.species_i
        self.start_s, self.first_i, self.j_p = ordered.start_s, ordered.first_i, ordered.j_p
        self.blocks = ordered.blocks
        self._descriptor, self._atoms = dscribe_descriptor, atoms.copy()
        self.x_id = np.asarray(dscribe_descriptor.create(self._atoms), dtype=float)
        self._dx_ijcd: np.ndarray | None = None
        self._strain_ivd: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.atom_i)

    @property
    def dx_ijcd(self) -> np.ndarray:
        """d x_i / d r_jc of all pairs of atoms."""
        if self._dx_ijcd is None:
            self._dx_ijcd = np.asarray(
                self._descriptor.derivatives(self._atoms, attach=True, return_descriptor=False),
                dtype=float,
            )
        return self._dx_ijcd

    @property
    def strain_ivd(self) -> np.ndarray:
        """d x_i / d strain in Voigt order."""
        if self._strain_ivd is None:
            out = np.empty((len(self), 6, self.x_id.shape[1]))
            for v, (a, b) in enumerate(voigt.PAIRS):
                out[:, v] = (
                    self._strained(a, b, STRAIN_STEP) - self._strained(a, b, -STRAIN_STEP)
                ) / (2.0 * STRAIN_STEP)
            self._strain_ivd = out
        return self._strain_ivd

    def _strained(self, a: int, b: int, step: float) -> np.ndarray:
        deformation = np.eye(3)
        deformation[a, b] += 0.5 * step
        deformation[b, a] += 0.5 * step
        atoms = self._atoms.copy()
        atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=False)
        atoms.positions = atoms.positions @ deformation
        return np.asarray(self._descriptor.create(atoms), dtype=float)


class GenericDescriptor:
    """A dscribe local descriptor behind the interface of `CompiledSOAP`.

    Raises GapyError if the descriptor averages over atoms or returns sparse arrays.
    """

    takes_neighbours = False
    of_pairs = False
    magnetic: tuple[int, ...] = ()
    is_smooth = True

    def __init__(self, descriptor):
        mend_system()
        if getattr(descriptor, "average", "off") != "off":
            raise GapyError(
                f"descriptor: expected average='off', got {descriptor.average!r}; local energies "
                "need one vector per atom"
            )
        if descriptor.sparse:
            raise GapyError("descriptor: expected sparse=False; make it with dense output")
        self.dscribe = descriptor
        self.species = tuple(
            sorted(
                ase.data.atomic_numbers[s] if isinstance(s, str) else int(s)
                for s in descriptor.species
            )
        )
        self.n_features = int(descriptor.get_number_of_features())
        self.periodic = bool(descriptor.periodic)
        self.cutoff = float(getattr(descriptor, "r_cut", None) or math.nan)

    @property
    def kind(self) -> str:
        """Name of the dscribe class."""
        return type(self.dscribe).__name__

    def settings(self) -> dict:
        """Keyword arguments of the dscribe class, as plain JSON types."""
        names = inspect.signature(type(self.dscribe).__init__).parameters
        return {n: _plain(getattr(self.dscribe, n)) for n in names if n != "self"}

    def arrays(self) -> dict[str, np.ndarray]:
        """None beside the settings."""
        return {}

    def create(self, system) -> np.ndarray:
        """Descriptors (n, D) of all atoms of a structure, in their order."""
        env, x_nd = self.environments(system), np.zeros((len(system), self.n_features))
        x_nd[env.atom_i] = self.values(env, 0, len(env))
        return x_nd

    def environments(self, atoms) -> GenericEnvironments:
        """All atoms of a structure."""
        species_slots(self.species, atoms.numbers)  # dscribe describes all atoms or none
        check_geometry(atoms.positions, atoms.cell.array, atoms.pbc)
        return GenericEnvironments(self.dscribe, atoms, self.species)

    def values(self, env, begin: int, end: int) -> np.ndarray:
        """Descriptors of centres begin..end-1 (a copy)."""
        return env.x_id[env.atom_i[begin:end]]

    def forward(self, env, begin: int, end: int):
        """Nothing to remember, and the descriptors."""
        return None, self.values(env, begin, end)

    def unseen(self, env, begin: int, end: int, state) -> None:
        """Nothing: the kernel works with the whole descriptor."""

    def gradient_store(self, env) -> np.ndarray:
        """Room for dE/dx of every centre."""
        return np.zeros((len(env), self.n_features))

    def backward(self, env, begin, end, state, g_id, store) -> None:
        """Remember dE/dx of centres begin..end-1."""
        store[begin:end] = g_id

    def collect(self, env, begin, end, store, forces, virial, first_m=None) -> None:
        """Add -dE/dr (n, 3) and dE/d(strain) (3, 3) of centres begin..end-1, of one structure.

        Raises ValueError for `first_m`: environments hold all atoms here, so that structures are
        evaluated one by one.
        """
        if first_m is not None:
            raise ValueError("first_m: expected None for a descriptor without neighbour lists")
        atoms, g_id = env.atom_i[begin:end], store[begin:end]
        forces -= np.einsum("id,ijcd->jc", g_id, env.dx_ijcd[atoms])
        strain = np.einsum("id,ivd->v", g_id, env.strain_ivd[atoms])
        for value, (a, b) in zip(strain, voigt.PAIRS):
            virial[a, b] += value
            if a != b:
                virial[b, a] += value

    def derivative_block(self, env, begin: int, end: int) -> DerivativeBlock:
        """Descriptors of some centres with their derivatives."""
        atoms = env.atom_i[begin:end]
        lo, hi = env.first_i[begin], env.first_i[end]
        centre_p = np.repeat(atoms, np.diff(env.first_i[begin : end + 1]))
        return DerivativeBlock(
            atom_i=atoms,
            x_id=self.values(env, begin, end),
            first_i=env.first_i[begin : end + 1] - lo,
            j_p=env.j_p[lo:hi],
            dx_pcd=env.dx_ijcd[centre_p, env.j_p[lo:hi]],
            strain_ivd=env.strain_ivd[atoms],
        )


def _plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(v) for v in value]
    return value
