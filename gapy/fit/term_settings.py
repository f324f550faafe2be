"""What is asked of one term of the model, before its inducing points are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import ase.data

from gapy.descriptors import as_descriptor, known_species
from gapy.errors import GapyError, SpeciesError
from gapy.fit.pair_settings import Pair
from gapy.fit.parameter_checks import check_term


@dataclass(frozen=True)
class TermSettings:
    """One term of a SparseGPRegressor; what is None is that of the regressor.

    descriptor : dscribe SOAP, CompiledSOAP or any local descriptor of dscribe
    zeta : exponent of the kernel
    n_inducing : inducing points per species, a number or {symbol: number}
    delta : prior standard deviation of a local energy of this term, eV
    selection : how inducing points are chosen
    n_components : components of the descriptor that the kernel uses
    species : symbols or atomic numbers of the central atoms it describes; None: all that the
        descriptor knows. Neighbours of other species are seen as long as the descriptor knows them.
    """

    descriptor: Any
    zeta: int | None = None
    n_inducing: int | Mapping | None = None
    delta: float | None = None
    selection: str | None = None
    n_components: int | float | str | None = None
    species: Sequence[str | int] | None = None

    def completed(self, regressor) -> TermSettings:
        """With gapy's descriptor, and every setting: its own, or that of the regressor.

        Raises
        ------
        GapyError : no local descriptor, a number out of range
        SpeciesError : a species that the descriptor does not know
        """
        descriptor = as_descriptor(self.descriptor)
        found = {
            name: getattr(self if getattr(self, name) is not None else regressor, name)
            for name in ("zeta", "n_inducing", "delta", "selection", "n_components")
        }
        if descriptor.of_pairs:
            # Of what a regressor states for the kernels of environments nothing holds here.
            found |= {"zeta": 1, "n_inducing": descriptor.n_features, "n_components": "off"}
        out = replace(self, descriptor=descriptor, species=self._served(descriptor), **found)
        check_term(out)
        return out

    @property
    def most_points(self) -> int:
        """Inducing points of the species that has most, of complete settings."""
        wanted: Any = self.n_inducing
        return int(max(wanted.values()) if isinstance(wanted, Mapping) else wanted)

    def to_dict(self) -> dict:
        """Settings but the descriptor, those of the regressor left out; plain JSON."""
        out = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "descriptor"}
        if self.species is not None:
            out["species"] = [s if isinstance(s, str) else int(s) for s in self.species]
        if isinstance(self.n_inducing, Mapping):
            out["n_inducing"] = {str(k): int(n) for k, n in self.n_inducing.items()}
        return {name: value for name, value in out.items() if value is not None}

    def _served(self, descriptor) -> tuple[int, ...]:
        if self.species is None:
            return tuple(descriptor.species)
        by_symbol: dict[Any, int] = ase.data.atomic_numbers
        numbers: set[Any] = {by_symbol.get(s, s) for s in self.species}
        unknown = sorted(map(str, numbers - set(descriptor.species)))
        if unknown or not numbers:
            known = ", ".join(ase.data.chemical_symbols[z] for z in descriptor.species)
            raise SpeciesError(
                f"species of a term: expected some of {known}, which its descriptor knows, got "
                f"{list(self.species)}; correct them or the descriptor"
            )
        return tuple(sorted(numbers))


def term_settings(given) -> list[TermSettings]:
    """Terms from a descriptor, a TermSettings, a Pair, or a list of them.

    Raises GapyError for a list without a descriptor of environments, which error bars need.
    """
    given = list(given) if isinstance(given, list | tuple) else [given]
    of_atoms = [one for one in given if not isinstance(one, Pair) and not _of_pairs(one)]
    if not of_atoms:
        raise GapyError(
            "descriptor: expected at least one of environments, by which error bars go, got "
            f"{'pair terms only' if given else 'an empty list'}; add a SOAP"
        )
    return [
        _pair_term(one, of_atoms)
        if isinstance(one, Pair)
        else one
        if isinstance(one, TermSettings)
        else TermSettings(one)
        for one in given
    ]


def _of_pairs(one) -> bool:
    return bool(getattr(getattr(one, "descriptor", one), "of_pairs", False))


def _pair_term(pair: Pair, others) -> TermSettings:
    described = [as_descriptor(getattr(one, "descriptor", one)) for one in others]
    species = known_species(described) if pair.species is None else _numbers(pair.species)
    return TermSettings(pair.descriptor(species), n_inducing=pair.n_inducing, delta=pair.delta)


def _numbers(species) -> list[int]:
    by_symbol: dict[Any, int] = ase.data.atomic_numbers
    unknown = [s for s in species if by_symbol.get(s, s) not in range(1, 119)]
    if unknown or not len(species):
        raise SpeciesError(
            f"species: expected chemical elements, got {list(species)}; correct them"
        )
    return [int(by_symbol.get(s, s)) for s in species]
