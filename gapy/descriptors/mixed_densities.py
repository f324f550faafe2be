"""What descriptors of mixed densities share: the whole descriptor, and the mixing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gapy.descriptors.base import Environments
from gapy.descriptors.soap import CompiledSOAP
from gapy.errors import GapyError
from gapy.geometry.pairs import Pairs


class MixedDensities(CompiledSOAP):
    """A compiled SOAP whose densities are mixed into fewer channels, for each central species.

    Arguments
    ---------
    whole : CompiledSOAP
        with the `compression` of the class
    mixing : U of each central species, (l_max + 1, densities * n_max, q), orthonormal columns

    Raises GapyError for another compression, or arrays that do not fit.
    """

    compression: str

    def __init__(self, whole: CompiledSOAP, mixing: Sequence[np.ndarray]):
        soap, n_species = whole.soap, len(whole.species)
        mode = soap.compression.get("mode", "off")
        shapes = {u_luq.shape for u_luq in mixing}
        wanted = (soap._l_max + 1, whole.n_densities * soap._n_max)
        fits = len(mixing) == n_species and {s[:2] for s in shapes} == {wanted}
        if mode != self.compression or not fits:
            raise GapyError(
                f"mixing: expected arrays {(*wanted, 'q')} for each of {n_species} species of a "
                f"SOAP with compression {self.compression!r}, got {[u.shape for u in mixing]}, "
                f"compression {mode!r}"
            )
        self.whole = whole
        self.kind, self.magnetic = whole.kind, whole.magnetic
        self.mixing = tuple(np.ascontiguousarray(u, dtype=float) for u in mixing)
        super().__init__(soap)

    def settings(self) -> dict:
        """Those of the whole descriptor."""
        return self.whole.settings()

    def select(self, numbers: np.ndarray, pairs: Pairs) -> Environments:
        """As the whole descriptor."""
        return self.whole.select(numbers, pairs)

    def environments(self, atoms) -> Environments:
        """As the whole descriptor."""
        return self.whole.environments(atoms)

    def arrays(self) -> dict[str, np.ndarray]:
        """The mixing by species slot."""
        return {f"mixing{s}": u_luq for s, u_luq in enumerate(self.mixing)}
