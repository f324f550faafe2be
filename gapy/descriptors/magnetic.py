"""SOAP that tells collinear orders of magnetic moments apart, and nothing else of the moments.

With sigma_i = -1, 0 or 1 the sign of the moment of atom i, a magnetic element Z has two densities
around each centre: that of its atoms, and that of their moments relative to the centre's,

    rho_Z(r) = sum_j g(r - r_ij),      mu_Z(r) = sum_j sigma_i sigma_j g(r - r_ij),

sums over the neighbours j of element Z. The power spectrum is that of all densities, as if mu_Z
were one more species. Only products of two signs occur: turning all moments around changes no bit,
and both directions share inducing points and coefficients. Where all signs are zero so is mu_Z,
and the kernel is that of the SOAP without it. Around a centre of sign zero mu_Z is zero too: its
own local energy does not depend on the order of its neighbours. Signs do not change with positions,
so that forces are plain derivatives.

A neighbour with a moment is two pairs of the environment, one for each density; the weight of the
second is the product of the signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from numbers import Integral

import ase.data
import numpy as np

from gapy._jit.spin_pairs import with_spin_pairs
from gapy.descriptors.base import Environments
from gapy.descriptors.channels import Channels, channels
from gapy.descriptors.radial_tables import RadialTables
from gapy.descriptors.soap import CompiledSOAP, require_soap
from gapy.descriptors.stated import SOAPSettings
from gapy.errors import SpeciesError, StructureError
from gapy.geometry.pairs import Pairs, pairs_within
from gapy.structures.spins import KEY, signs_of


class MagneticSOAP(CompiledSOAP):
    """Compiled SOAP with the densities of moments of some elements.

    Arguments
    ---------
    soap : dscribe.descriptors.SOAP, as of CompiledSOAP; SOAPSettings, or a CompiledSOAP itself
    magnetic : symbols or atomic numbers of the elements whose signs count

    Structures say their signs under ``magmom_sign`` of their arrays, or by initial magnetic moments
    (`gapy.structures.spins`); StructureError for one that says none where they matter.

    Raises
    ------
    GapyError : as of CompiledSOAP
    SpeciesError : magnetic elements that are no species of the SOAP, or none
    """

    kind = "magnetic SOAP"

    def __init__(self, soap, magnetic: Sequence[str | int]):
        if isinstance(soap, SOAPSettings):
            soap = soap.made()
        elif isinstance(soap, CompiledSOAP):
            soap = soap.soap
        require_soap(soap)
        species = tuple(int(z) for z in soap._atomic_numbers)
        self.magnetic = _magnetic_of(magnetic, species)
        super().__init__(soap)
        kinds = np.full(len(species), -1, dtype=np.int64)
        for k, z in enumerate(self.magnetic):
            kinds[species.index(z)] = len(species) + 2 * k
        self._kind_s = kinds

    def settings(self) -> dict:
        """Those of the SOAP, and the magnetic elements."""
        return super().settings() | {"magnetic": _symbols(self.magnetic)}

    def _layout(self) -> tuple[Channels, RadialTables]:
        mode = self.soap.compression.get("mode", "off")
        n_species, n_magnetic = len(self.species), len(self.magnetic)
        # Each magnetic element is two more kinds of neighbour, parallel and antiparallel, in one
        # slot, whose weights have opposite signs.
        of_species, of_moments = np.arange(n_species), n_species + np.arange(n_magnetic)
        if mode == "mu2":  # one density of all species, one of all moments
            mode, of_species, of_moments = "off", 0 * of_species, 0 * of_moments + 1
        slots = np.concatenate([of_species, np.repeat(of_moments, 2)])
        n_summed = int(of_species.max()) + 1
        on = channels(mode, slots, self.soap._n_max, self.soap._l_max, n_summed=n_summed)
        self.n_features = on.n_features
        own = [self.species.index(z) for z in self.magnetic]
        species_k = np.concatenate([np.arange(n_species), np.repeat(own, 2)])
        sign_k = np.array([1.0] * n_species + [1.0, -1.0] * n_magnetic)
        tables = RadialTables.of_soap(self.soap, self.cutoff, on.n_pad)
        return on, tables.of_kinds(species_k, sign_k)

    def select(self, numbers: np.ndarray, pairs: Pairs) -> Environments:
        """As of CompiledSOAP; `pairs.signs` are those of the moments.

        Raises StructureError where signs matter and are not known.
        """
        env = super().select(numbers, pairs)
        magnetic = np.isin(numbers, self.magnetic)
        if pairs.signs is None:
            if (magnetic[np.repeat(env.atom_i, np.diff(env.first_i))] & magnetic[env.j_p]).any():
                raise StructureError(
                    f"{KEY}: expected the signs of the magnetic moments, which the descriptor "
                    f"looks at for {', '.join(_symbols(self.magnetic))}, got a structure without; "
                    f"set atoms.arrays['{KEY}'] to -1, 0 or 1, or initial magnetic moments"
                )
            return env
        first_i, j_p, r_pc, species_p = with_spin_pairs(
            env.atom_i, env.first_i, env.j_p, env.r_pc, env.species_p,
            np.where(magnetic, pairs.signs, 0), self._kind_s,
        )  # fmt: skip
        return replace(env, first_i=first_i, j_p=j_p, r_pc=r_pc, species_p=species_p)

    def environments(self, atoms) -> Environments:
        """As of CompiledSOAP, with the signs that the structure says."""
        pairs = pairs_within(atoms, self.cutoff, periodic=self.periodic)
        return self.select(atoms.numbers, replace(pairs, signs=signs_of(atoms)))


def _magnetic_of(given: Sequence[str | int], species: tuple[int, ...]) -> tuple[int, ...]:
    """Ascending atomic numbers."""
    listed = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    known = {name: z for z in species for name in (z, ase.data.chemical_symbols[z])}
    if not listed or not all(isinstance(s, str | Integral) and s in known for s in listed):
        raise SpeciesError(
            f"magnetic: expected some of {', '.join(_symbols(species))}, the species of the "
            f"descriptor, got {given!r}; correct them"
        )
    return tuple(sorted({known[s] for s in listed}))


def _symbols(numbers: Sequence[int]) -> list[str]:
    return [ase.data.chemical_symbols[z] for z in numbers]
