"""The fitted model: immutable, evaluated on ASE structures, saved to one file.

    E = sum_i e0(Z_i) + sum_i eps_i

with eps_i the posterior mean of the sparse GP; see `gapy.gp.posterior` for the formulas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import ase.data
import numpy as np

from gapy._support.remember import Remembered
from gapy._support.threads import blas_threads
from gapy.baselines import Baseline, system_of
from gapy.baselines import largest_cutoff as baselines_cutoff
from gapy.error_bars.calibration import FIRST, NEAR, NEAR_LEAST, SAMPLES, ForceCalibration
from gapy.error_bars.extrapolation import Contacts, Extrapolation, contacts
from gapy.error_bars.landmarks import Landmarks, landmarks
from gapy.errors import GapyError, SpeciesError, StructureError
from gapy.gp.neighbourhood import Neighbourhood, largest_cutoff, neighbourhood, pairs_of, select
from gapy.gp.noise import Noise
from gapy.gp.posterior import Coarse, Posterior
from gapy.gp.terms import Term
from gapy.model import arrays, exact, many, modelfile, serialise
from gapy.model.arrays import Evaluation
from gapy.model.blocks import energy_blocks, in_single, variance_blocks
from gapy.model.calculator import GAPCalculator
from gapy.model.committee import Committee, sample
from gapy.model.exact import Prediction
from gapy.model.local_energy import EnergyBlock
from gapy.model.local_variance import VarianceBlock
from gapy.model.pair_table import PairTable, pair_tables
from gapy.model.reduction import reduced, unreduced
from gapy.structures import one_structure

FORCE_STD = (False, True, "cheap", "posterior")
PRECISIONS = ("double", "single")


@dataclass(frozen=True, eq=False)
class Potential:
    """A fitted sparse GP potential.

    terms, posterior: descriptor, kernel and inducing points, and what the data say about them.
    e0: energy of the free atom by atomic number (eV). noise: that of the fit. calibration:
    force sigma of an atom, from leave-one-structure-out residuals. metadata:
    plain JSON (data hash, versions, label counts). reach: of each term, how far the training
    environments extend (None: not known). references: structures whose energies are
    checked when the file is loaded. bases: of each block, orthonormal columns (D, r) onto which
    energies and forces project descriptors, or None; empty: exact. baselines: what energies,
    forces and virial have beside e0 and the Gaussian process. precision: see `in_precision`.
    """

    terms: tuple[Term, ...]
    posterior: Posterior
    e0: Mapping[int, float]
    noise: Noise
    calibration: ForceCalibration
    metadata: Mapping[str, object] = field(default_factory=dict)
    reach: tuple[Extrapolation | None, ...] = ()
    references: tuple = ()
    bases: tuple[np.ndarray | None, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    precision: str = "double"

    def __post_init__(self):
        if self.precision not in PRECISIONS:
            raise GapyError(f"precision: expected one of {PRECISIONS}, got {self.precision!r}")

    def __repr__(self) -> str:
        symbols = ", ".join(ase.data.chemical_symbols[z] for z in self.species)
        points = self.posterior.blocks[-1].stop
        single = ", single precision" if self.precision == "single" else ""
        return f"Potential({symbols}; {points} inducing points, cutoff {self.cutoff:.2f} A{single})"

    def __reduce__(self):
        # As a file holds it: nothing that is computed again, triangles without their zeros.
        model, arrays = serialise.pack(self)
        return _restored, (json.dumps(model), arrays, self.precision)

    def __deepcopy__(self, memo) -> Potential:
        return self  # nothing of it changes

    @cached_property
    def sha256(self) -> str:
        """What names the model: the hash that its file has, as `gapy info` prints it."""
        return modelfile.digest(*serialise.pack(self))

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers that some term has inducing points for."""
        return tuple(sorted(set().union(*(t.known_species for t in self.terms)) & set(self.e0)))

    @property
    def cutoff(self) -> float:
        """Largest cutoff of all terms, A; NaN if none states one."""
        return float(np.fmax.reduce([t.descriptor.cutoff for t in self.terms]))

    @cached_property
    def pairs_cutoff(self) -> float:
        """Cutoff that a pair list must have, A: the largest of all terms and baselines."""
        return max(largest_cutoff(self.terms), baselines_cutoff(self.baselines) or 0.0)

    @cached_property
    def energy_blocks(self) -> tuple[EnergyBlock, ...]:
        """What the engine needs for energies and forces, one for each block of the posterior."""
        with blas_threads(1):
            blocks = energy_blocks(self.terms, self.posterior, self.bases)
        return in_single(blocks) if self.precision == "single" else blocks

    def in_precision(self, precision: str) -> Potential:
        """The same model, evaluated in "double" or in "single" precision.

        single: SOAPs and their projection, which are most of a force call; the kernel, sigmas and
        sums stay in double precision, and so do other descriptors, posterior samples and `predict`.
        Forces differ by a few 1e-5 eV/A and energies by less than 1e-5 eV/atom
        (`benchmarks/precision.py`); take double where differences of nearly equal energies count. A
        file does not hold it. Raises GapyError for another word.
        """
        if precision == self.precision:
            return self
        if self._other.precision == precision:
            return self._other
        return replace(self, precision=precision)  # which refuses it

    @cached_property
    def _other(self) -> Potential:
        """The same in the other precision, with all that was computed and does not depend on it."""
        other = replace(self, precision="double" if self.precision == "single" else "single")
        known = {k: v for k, v in self.__dict__.items() if k not in ("precision", "energy_blocks")}
        other.__dict__.update(known)
        return other

    @cached_property
    def pair_tables(self) -> tuple[PairTable, ...]:
        """What the pair terms add to energies and forces; empty without one."""
        return pair_tables(self.terms, self.posterior.blocks, self.posterior.alpha)

    def reduced(self, force_tolerance: float, structures=None) -> Potential:
        """A faster copy whose descriptors are projected onto the directions that matter.

        Those along which the energy changes most (see `gapy.gp.active_subspace`), as few as keep
        every force of `structures` (default: the references) within `force_tolerance` (eV/A) of the
        exact ones. Energy and forces of the copy are exact derivatives of one another. Its
        `metadata["reduction"]` states ranks and largest errors found (eV/A and eV/atom).

        Raises
        ------
        GapyError : no positive tolerance, or no structures to check it on
        """
        return reduced(self, force_tolerance, structures)

    @cached_property
    def variance_blocks(self) -> tuple[VarianceBlock, ...]:
        """What the engine needs for the posterior variances of local energies, of all points."""
        # Made when first asked for: it takes O(M^3), which a plain force call need not wait for.
        with blas_threads(1):  # the same sums whatever a program has set
            return variance_blocks(self.terms, self.posterior)

    @cached_property
    def coarse(self) -> Coarse:
        """The posterior of fewer inducing points, behind the force sigma of `evaluate`."""
        with blas_threads(1):
            return self.posterior.coarse(*self.calibration.coarse)

    @cached_property
    def near(self) -> Landmarks:
        """The still fewer points from which the force sigma of `evaluate` measures distances."""
        with blas_threads(1):
            return landmarks(self.posterior, NEAR, NEAR_LEAST, self.calibration.exponent)

    @cached_property
    def indicator_blocks(self) -> tuple[VarianceBlock, ...]:
        """What the engine needs for what the force sigma follows."""
        with blas_threads(1):
            return variance_blocks(self.terms, self.coarse, self.near, FIRST, self.reach)

    @cached_property
    def samples(self) -> Committee:
        """The posterior samples behind the force sigma of `force_std="posterior"`."""
        return self.sample(SAMPLES)

    @cached_property
    def contacts(self) -> Contacts | None:
        """Shortest distances of the training set; None if not known."""
        return contacts(self.terms, self.reach)

    @cached_property
    def sees_images(self) -> bool:
        """Whether all descriptors see periodic images."""
        return all(t.descriptor.periodic for t in self.terms)

    def check_species(self, numbers) -> None:
        """Raise SpeciesError if a species is unknown to the potential."""
        self.free_atoms(numbers)

    def check_periodicity(self, atoms) -> None:
        """Raise StructureError if a descriptor would overlook periodic images."""
        if not self.sees_images and atoms.pbc.any():
            raise StructureError(
                f"pbc: the potential was fitted with periodic=False, the structure has "
                f"pbc={atoms.pbc.tolist()}; set atoms.pbc = False or fit with periodic=True"
            )

    def free_atoms(self, numbers) -> np.ndarray:
        """Energies of the free atoms (n,), eV; SpeciesError if a species is unknown."""
        return self._free_atoms(numbers)

    @cached_property
    def _free_atoms(self) -> Remembered:
        return Remembered(self._look_up)

    def _look_up(self, numbers) -> np.ndarray:
        species, index = np.unique(numbers, return_inverse=True)
        unknown = sorted(set(species.tolist()) - set(self.species))
        if unknown:
            symbols = ase.data.chemical_symbols
            raise SpeciesError(
                "species: the potential was fitted for "
                f"{[symbols[z] for z in self.species]}, the structure also holds "
                f"{[symbols[z] for z in unknown]}; fit with structures that contain them"
            )
        return np.array([self.e0[int(z)] for z in species])[index]

    def environments(self, atoms) -> dict[int, object]:
        """Environments of each term's descriptor, by its id."""
        return self.neighbourhood(atoms).whole(self.terms)

    def neighbourhood(self, atoms, pairs=None) -> Neighbourhood:
        """Pairs of a structure, searched unless given, and what each term sees of them."""
        if pairs is None:
            pairs = pairs_of(self.terms, atoms, self.pairs_cutoff)
        return neighbourhood(self.terms, atoms, pairs)

    def evaluate(
        self, atoms, *, local_std=False, force_std=False, neighbourhood=None, threads=1
    ) -> Evaluation:
        """Energy, forces and virial of a structure, with sigmas if asked for.

        local_std: posterior sigma of each local energy, within 1 %
        (`gapy.error_bars.mixed_precision`; `predict` gives it exactly); two fifths of a force call
        more. force_std="cheap": calibrated force sigma of each atom (see
        `gapy.error_bars.calibration`), from the posterior of the leading inducing points, which
        then gives the local sigmas too unless local_std is asked for; a quarter of a force call
        more, half of one with zeta below 4. force_std="posterior": where `calibration.posterior` is
        known, which is where it ranks left-out errors better, the force sigma follows the posterior
        of the force itself, from SAMPLES samples with a noise of 14 %; two or three force calls
        more. force_std=True: "posterior" where `calibration.prefers_posterior`, elsewhere "cheap".
        `threads` do not change the result. `neighbourhood` of these atoms, as from the method of
        that name, or a function of the atoms that gives it, saves the search for neighbours.
        """
        one_structure(atoms)
        numbers = atoms.numbers
        free_atoms = self.free_atoms(numbers)  # checks the species too
        self.check_periodicity(atoms)
        found = neighbourhood or self.neighbourhood
        found = found(atoms) if callable(found) else found
        system = system_of(atoms, found.pairs) if self.baselines else None
        return arrays.evaluate(
            self, numbers, found, free_atoms, system,
            local_std=local_std, force_std=force_std, threads=threads,
        )  # fmt: skip

    def draws_samples(self, force_std, name="force_std") -> bool:
        """Whether `evaluate` with this force_std draws posterior samples; GapyError if unknown."""
        if not any(type(force_std) is type(one) and force_std == one for one in FORCE_STD):
            raise GapyError(f"{name}: expected one of {FORCE_STD}, got {force_std!r}")
        if force_std is True:
            return self.calibration.prefers_posterior
        return force_std == "posterior" and self.calibration.posterior is not None

    def evaluate_many(
        self, structures, uncertainty=False, *, local_std=False, force_std=False, threads=1
    ) -> list[Evaluation]:
        """What `evaluate` gives for each of many structures, to rounding, in their order.

        (Sigmas, in part computed in single precision, to 1e-4 of themselves or so.) Some thousand
        atoms at a time go through the engine as if they were one structure: small structures, on
        which `evaluate` spends most of its time around the work, take a fraction of it, and memory
        does not grow with their number, but for the results. `uncertainty`: True, "cheap" or
        "posterior" for force_std, "local" for local_std, as in the calculator. Models with a
        descriptor that looks at whole structures evaluate one after the other. `threads` do not
        change the result.

        Raises GapyErrors as `evaluate` does, with the place of the structure: "structures[7]: ...".
        """
        sigmas = {"local_std": local_std, "force_std": force_std} | many.sigmas_of(uncertainty)
        return list(many.evaluate_many(self, structures, **sigmas, threads=threads))

    def evaluate_arrays(
        self, numbers, pairs, *, local_std=False, force_std=False, indicators=False, threads=1
    ) -> Evaluation:
        """As `evaluate`, from atomic numbers (n,) and Pairs (`gapy.geometry.pairs`) alone.

        Only the centres of `pairs` have local energies; their sum is the energy, forces are its
        derivatives for all n atoms, to be added to the owners of ghosts, and the virial that of
        the centres. `pairs` must hold all that are shorter than `pairs_cutoff`. `force_std` needs
        every atom to be a centre. With ghosts, `indicators` (which takes the same words) returns
        those (n, 4) of the centres, and zero rows to be filled in with those that the ghosts have
        where they are centres, and `deviations` of samples where force_std would draw them, to be
        added up as forces are; the method `force_std` then gives the sigma. See docs/arrays.md.

        Raises
        ------
        GapyError : a descriptor that does not work from neighbours, force_std with ghosts
        StructureError : arrays that do not fit together, a list too short, atoms in one place
        SpeciesError : a species that the potential was not fitted for
        """
        numbers = arrays.atomic_numbers(numbers)
        arrays.refuse_without_neighbours(self.terms)
        free_atoms = self.free_atoms(numbers)
        pairs = arrays.checked_pairs(pairs, len(numbers), self.pairs_cutoff)
        found = select(self.terms, numbers, pairs)
        return arrays.evaluate(
            self, numbers, found, free_atoms,
            local_std=local_std, force_std=force_std, indicators=indicators, threads=threads,
        )  # fmt: skip

    def force_std(
        self, indicators, numbers, pairs, forces, baseline_forces=None, *, deviations=None
    ) -> np.ndarray:
        """Calibrated force sigma (n,) eV/A of the centres of `pairs`; 0 of other atoms.

        indicators (n, 4) of all atoms, those of ghosts too, from `evaluate_arrays`; forces (n, 3)
        eV/A, for the centres with all contributions, those that other domains found included; so
        are deviations (n, 24), with which sigma follows posterior samples instead of being the
        cheap one. baseline_forces (n, 3): likewise; found from `pairs` where all baselines are sums
        over pairs. Equal to what `evaluate` gives without domains. Raises GapyError for other
        baselines whose forces are not given, and for deviations of one that draws no samples.
        """
        numbers = arrays.atomic_numbers(numbers)
        n = len(numbers)
        own = arrays.rows_of_atoms("indicators", indicators, n, arrays.N_INDICATORS)
        forces = arrays.rows_of_atoms("forces", forces, n, 3)
        pairs = arrays.checked_pairs(pairs, n, self.pairs_cutoff)
        if self.baselines:
            if baseline_forces is None:
                baseline_forces = arrays.forces_of_baselines(self.baselines, numbers, pairs)
            forces = forces - arrays.rows_of_atoms("baseline_forces", baseline_forces, n, 3)
        if deviations is not None:
            arrays.refuse_without_samples(self)
            deviations = arrays.rows_of_atoms("deviations", deviations, n, arrays.N_DEVIATIONS)
        return arrays.force_sigma(self, own, numbers, pairs, forces, deviations)

    def predict(self, atoms, *, forces=True, stress=None) -> tuple[Prediction, Prediction]:
        """Posterior means and standard deviations of one structure from the full formula.

        var = (k** - |l*|^2) + |R^-T l*|^2 with exact k** for energy, forces and stress; noise is
        not included. Costs as much as the training rows of the structure: use `evaluate` in MD.
        `stress` defaults to whether the structure has a cell of full rank.
        """
        one_structure(atoms)
        self.check_periodicity(atoms)
        return exact.predict(
            self, atoms, self.free_atoms(atoms.numbers), forces=forces, stress=stress
        )

    def calculator(
        self, *, uncertainty=False, posterior_every=1, skin=0.5, threads=1, precision=None
    ) -> GAPCalculator:
        """ASE calculator; see GAPCalculator for the arguments."""
        often = {"uncertainty": uncertainty, "posterior_every": posterior_every}
        return GAPCalculator(self, **often, skin=skin, threads=threads, precision=precision)

    def sample(self, n: int, seed: int = 0, *, cover=None) -> Committee:
        """n potentials drawn from the posterior, which share all kernel work.

        Mean and spread of their predictions are the posterior's without the first bracket of
        `predict`, the distance from the inducing points; environments of `cover` (structures like
        those to be computed) become inducing points of the samples, which includes it there. The
        mean stays as it is, in double precision; that of a reduced potential is the exact one, for
        samples differ along directions that it does without. GapyError for n < 1 or a seed < 0.
        """
        exact = self.in_precision("double")
        return sample(unreduced(exact) if self.bases else exact, n, seed, cover)

    def with_references(self, structures) -> Potential:
        """A copy that remembers structures with their energies, checked when a file is loaded."""
        exact = self.in_precision("double")
        checked = tuple((a, exact.evaluate(a).energy) for a in structures)
        return replace(self, references=checked)

    def save(self, path) -> None:
        """Write a .gapy file, whole or not at all; see `gapy.model.modelfile` for its contents.

        Equal potentials give equal files, bit by bit. Raises GapyError if the file cannot be
        written; an older one is left as it was.
        """
        modelfile.write(path, *serialise.pack(self))


def _restored(model: str, arrays: dict, precision: str = "double") -> Potential:
    unpacked = serialise.unpack(json.loads(model), serialise.squares(arrays))
    return Potential(**unpacked, precision=precision)
