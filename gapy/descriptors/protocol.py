"""What a term needs of a descriptor; `CompiledSOAP` and `GenericDescriptor` have it.

The verbs work on `Environments`, ranges of whose centres share a species slot. A descriptor either
works from neighbours (`takes_neighbours`), so that any program with a pair list can use it, or
looks at whole ASE structures.

Those of SOAPs have `in_single`, too: the `gapy.descriptors.base.Passes` of a force call in single
precision. Descriptors without it stay in double precision.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from gapy.descriptors.base import DerivativeBlock, Environments


@runtime_checkable
class Descriptor(Protocol):
    """Values and derivatives of one vector x (D,) for each atom.

    kind : name under which model files know it
    species : ascending atomic numbers that it tells apart, as centres and as neighbours
    n_features : D
    cutoff : distance (A) beyond which nothing counts; inf if it states none
    periodic : whether it sees periodic images
    takes_neighbours : whether `select` works
    magnetic : ascending atomic numbers of the species whose moments' signs it tells apart
    of_pairs : whether its slots are pairs of species and its kernel is x . x' of vectors as they
        are; else slots are the species of the centres, and the kernel is one of unit vectors
    """

    kind: str
    species: tuple[int, ...]
    n_features: int
    cutoff: float
    periodic: bool
    takes_neighbours: bool
    magnetic: tuple[int, ...]
    of_pairs: bool

    def settings(self) -> dict[str, Any]:
        """Plain JSON from which `descriptor_from_settings(kind, settings)` makes it again."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """What `descriptor_from_settings` needs beside them; often nothing."""
        ...

    def environments(self, atoms) -> Environments:
        """What it sees of an ASE structure, every atom of a species it knows a centre."""
        ...

    def create(self, system) -> np.ndarray:
        """x (n, D) of all atoms of an ASE structure, in their order."""
        ...

    def values(self, env: Environments, begin: int, end: int) -> np.ndarray:
        """x (b, D) of centres begin..end-1."""
        ...

    def derivative_block(self, env: Environments, begin: int, end: int) -> DerivativeBlock:
        """x and dx/dr of centres begin..end-1."""
        ...

    def forward(self, env: Environments, begin: int, end: int) -> tuple[Any, np.ndarray]:
        """What `backward` needs, and x (b, D)."""
        ...

    def unseen(self, env: Environments, begin: int, end: int, state) -> np.ndarray | None:
        """Squared length (b,) of what x leaves out of what `forward` saw; None for nothing."""
        ...

    def gradient_store(self, env: Environments) -> np.ndarray:
        """Room for what `backward` leaves of all centres."""
        ...

    def backward(
        self, env: Environments, begin: int, end: int, state, g_id: np.ndarray, store: np.ndarray
    ) -> None:
        """Leave in `store` what dE/dx = g_id (b, D) of centres begin..end-1 means for atoms."""
        ...

    def collect(
        self,
        env: Environments,
        begin: int,
        end: int,
        store: np.ndarray,
        forces,
        virial,
        first_m: np.ndarray | None = None,
    ) -> None:
        """Add forces (n, 3) and dE/d(strain) (3, 3) of centres begin..end-1 from `store`.

        With first_m (m + 1,) the atoms are those of m structures, one after the other, and virial
        is (m, 3, 3): atoms first_m[m]:first_m[m + 1] are those of structure m.
        """
        ...


def missing_members(candidate) -> list[str]:
    """Names of the protocol that an object lacks."""
    names = [*Descriptor.__annotations__, *(n for n in vars(Descriptor) if not n.startswith("_"))]
    return [name for name in dict.fromkeys(names) if not hasattr(candidate, name)]
