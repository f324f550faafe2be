"""Posterior samples of a potential as a committee that shares all kernel work.

    w_k = w + R^-1 xi_k,   alpha_k = D L^-T w_k,   E_k = sum_i e0(Z_i) + sum_i k_i . alpha_k

Every member is a potential of its own: an energy surface with exact forces, drawn from the
posterior. A property computed with each of them has the posterior's mean and spread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from ase.calculators.calculator import PropertyNotImplementedError, all_changes

from gapy._support.voigt import has_volume, stress_of
from gapy.baselines import system_of, total
from gapy.errors import GapyError
from gapy.gp.neighbourhood import Neighbourhood
from gapy.gp.samples import augmented, points_to_add, sample_weights
from gapy.gp.terms import of_environments
from gapy.model.calculator import OF_ASE, GAPCalculator
from gapy.model.ensemble import MemberSums, evaluate_members, member_forces
from gapy.model.local_energy import EnergyBlock, Quadratic
from gapy.model.pair_table import PairTable, pair_tables, summed
from gapy.structures import one_structure

if TYPE_CHECKING:
    from gapy.model.potential import Potential

QUADRATIC_BYTES = 400_000_000
"""Memory that the members' quadratic forms may take; beyond it they use the general path."""


@dataclass(frozen=True)
class CommitteeEvaluation:
    """Results of the driver and of all k members for one structure of n atoms.

    Of the driver: energy (eV), energies (n,) eV local, forces (n, 3) eV/A, virial dE/d(strain)
    (3, 3) eV. Of the members: energy_members (k,) and energies_members (k, n) eV; forces_members
    (k, n, 3) eV/A and virial_members (k, 3, 3) eV, None unless asked for.
    """

    energy: float
    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    energy_members: np.ndarray
    energies_members: np.ndarray
    forces_members: np.ndarray | None = None
    virial_members: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Committee:
    """Samples of a potential's posterior; made by `Potential.sample`.

    potential: the posterior mean. w, alpha (k, M): whitened weights and coefficients of the
    members. seed: what the samples were drawn with.
    """

    potential: Potential
    w: np.ndarray
    alpha: np.ndarray
    seed: int

    def __len__(self) -> int:
        return len(self.w)

    def __repr__(self) -> str:
        return f"Committee of {len(self)} samples, seed {self.seed}, of {self.potential!r}"

    @cached_property
    def potentials(self) -> tuple:
        """The members as potentials, which can be saved and used anywhere."""
        frames = [atoms for atoms, _ in self.potential.references]
        return tuple(
            replace(
                self.potential,
                posterior=replace(self.potential.posterior, w=w, alpha=alpha),
                metadata={**self.potential.metadata, "sample": [k, self.seed]},
            ).with_references(frames)
            for k, (w, alpha) in enumerate(zip(self.w, self.alpha))
        )

    @cached_property
    def members(self) -> tuple[GAPCalculator, ...]:
        """The members as independent ASE calculators."""
        return tuple(p.calculator() for p in self.potentials)

    def calculator(self, *, driver=None, skin=0.5, threads=1) -> CommitteeCalculator:
        """ASE calculator of the mean (or of member `driver`) and all members."""
        return CommitteeCalculator(self, driver=driver, skin=skin, threads=threads)

    def evaluate(
        self, atoms, *, driver=None, forces_members=False, neighbourhood=None, threads=1
    ) -> CommitteeEvaluation:
        """Energy, forces and virial of the driver with the energies of all members.

        `driver`: index of a member, or None for the posterior mean. `forces_members` adds forces
        and virials of all members, which cost far more than their energies.
        """
        one_structure(atoms)
        potential = self.potential
        potential.check_species(atoms.numbers)
        potential.check_periodicity(atoms)
        found = neighbourhood or potential.neighbourhood(atoms)
        out = evaluate_members(
            self._blocks_of(self.check_driver(driver)),
            self._alphas,
            found.environments,
            len(atoms),
            forces=forces_members,
            quadratics=self._quadratics if forces_members else None,
            threads=threads,
        )
        base = total(potential.baselines, system_of(atoms, found.pairs))
        if potential.pair_tables:
            out = self._with_pairs(out, atoms.numbers, found.pairs, driver)
        known = potential.free_atoms(atoms.numbers) + base.energies
        energies, energies_members = out.driver.energies + known, out.energies + known
        return CommitteeEvaluation(
            float(energies.sum()) + base.shared,
            energies,
            out.driver.forces + base.forces,
            out.driver.virial + base.virial,
            energies_members.sum(axis=1) + base.shared,
            energies_members,
            None if out.forces is None else out.forces + base.forces,
            None if out.virials is None else out.virials + base.virial,
        )

    def force_spread(self, atoms, *, neighbourhood=None, threads=1) -> np.ndarray:
        """Mean square deviation (n,) (eV/A)^2 of the members' force components from the mean's."""
        one_structure(atoms)
        potential = self.potential
        potential.check_species(atoms.numbers)
        potential.check_periodicity(atoms)
        found = neighbourhood or potential.neighbourhood(atoms)
        deviations = self.force_deviations(found, atoms.numbers, threads=threads)
        return np.einsum("nv,nv->n", deviations, deviations) / deviations.shape[1]

    def force_deviations(self, found: Neighbourhood, numbers, *, threads=1) -> np.ndarray:
        """Forces (n, 3 k) eV/A of the k members less those of the mean, x y z of each in turn.

        Sums over the centres that `found` holds, as forces are: ghosts have their share.
        """
        found_knc = member_forces(
            *self._deviations, self.potential.energy_blocks, found.environments, len(numbers),
            threads=threads,
        )  # fmt: skip
        for deviation_nc, tables in zip(found_knc, self._pair_deviations):
            deviation_nc += summed(tables, numbers, found.pairs).forces
        return np.moveaxis(found_knc, 0, 1).reshape(len(numbers), -1)

    def _with_pairs(self, out: MemberSums, numbers, pairs, driver) -> MemberSums:
        """Sums with what pair terms add to the driver and to every member."""
        of_members = [summed(tables, numbers, pairs) for tables in self._pair_tables]
        mean = summed(self.potential.pair_tables, numbers, pairs)
        own = mean if driver is None else of_members[driver]
        drives = out.driver._replace(
            energies=out.driver.energies + own.energies,
            forces=out.driver.forces + own.forces,
            virial=out.driver.virial + own.virial,
        )
        return MemberSums(
            drives,
            out.energies + np.stack([one.energies for one in of_members]),
            None if out.forces is None else out.forces + [one.forces for one in of_members],
            None if out.virials is None else out.virials + [one.virial for one in of_members],
        )

    @cached_property
    def _pair_tables(self) -> tuple[tuple[PairTable, ...], ...]:
        """Of every member."""
        return self._tables_of(self.alpha)

    @cached_property
    def _pair_deviations(self) -> tuple[tuple[PairTable, ...], ...]:
        """Of every member less the mean; nothing without pair terms."""
        if not self.potential.pair_tables:
            return ()
        return self._tables_of(self.alpha - self.potential.posterior.alpha)

    def _tables_of(self, alpha_km) -> tuple[tuple[PairTable, ...], ...]:
        terms, blocks = self.potential.terms, self.potential.posterior.blocks
        return tuple(pair_tables(terms, blocks, alpha) for alpha in alpha_km)

    def check_driver(self, driver) -> int | None:
        """`driver`, or GapyError if there is no such member."""
        if driver is None:
            return None
        is_whole = isinstance(driver, Integral)
        if is_whole and 0 <= driver < len(self):
            return int(driver)
        raise GapyError(
            f"driver: expected None (the mean) or a member from 0 to {len(self) - 1}, got "
            f"{driver!r}"
        )

    @cached_property
    def _alphas(self) -> tuple[np.ndarray, ...]:
        blocks = of_environments(self.potential.posterior.blocks)
        return tuple(np.ascontiguousarray(self.alpha[:, b.columns].T) for b in blocks)

    @cached_property
    def _quadratics(self) -> tuple[np.ndarray | None, ...]:
        return quadratics_of(self.potential.energy_blocks, self._alphas)

    @cached_property
    def _deviations(self) -> tuple[tuple, tuple]:
        """Weights, and forms of zeta = 2, of the members less those of the mean."""
        blocks = self.potential.energy_blocks
        alphas = tuple(a_sk - b.kernel.alpha_s[:, None] for a_sk, b in zip(self._alphas, blocks))
        return alphas, quadratics_of(blocks, alphas)

    def _blocks_of(self, driver) -> tuple[EnergyBlock, ...]:
        blocks = self.potential.energy_blocks
        if driver is None:
            return blocks
        weights = (np.ascontiguousarray(alpha_sk[:, driver]) for alpha_sk in self._alphas)
        return tuple(
            replace(block, kernel=replace(block.kernel, alpha_s=alpha_s), short_cut=None)
            for block, alpha_s in zip(blocks, weights)
        )


def quadratics_of(blocks, alphas) -> tuple[np.ndarray | None, ...]:
    """Quadratic forms (k, D, D) of zeta = 2 for weights (M, k) of each block, where that pays."""
    return tuple(
        np.stack([(x_sd.T * alpha_s) @ x_sd for alpha_s in alpha_sk.T])
        if isinstance(block.short_cut, Quadratic)
        and x_sd.shape[1] < x_sd.shape[0]
        and 8 * alpha_sk.shape[1] * x_sd.shape[1] ** 2 <= QUADRATIC_BYTES
        else None
        for block, alpha_sk in zip(blocks, alphas)
        for x_sd in (block.kernel.x_sd,)
    )


class CommitteeCalculator(GAPCalculator):
    """Energy, forces and stress of the posterior mean, with those of all members.

    Arguments
    ---------
    committee : gapy.Committee
    driver : None for the posterior mean, or the index of the member that gives energy and forces
    skin, threads : as in GAPCalculator

    Results: energy, free_energy, energies, forces and stress of the driver; energy_members (k,)
    and energies_members (k, n) eV, at every call; forces_members (k, n, 3) eV/A and
    stress_members (k, 6) eV/A^3 when asked for by `get_property`.
    """

    driver: int | None
    implemented_properties: ClassVar[list[str]] = [  # type: ignore[misc]  # as in GAPCalculator
        "energy", "free_energy", "energies", "forces", "stress",
        "energy_members", "energies_members", "forces_members", "stress_members",
    ]  # fmt: skip

    def __init__(self, committee: Committee, *, driver=None, skin=0.5, threads=1, **of_ase):
        self.committee = committee
        self._refuse_unknown(of_ase, OF_ASE)  # samples have no other precision
        super().__init__(committee.potential, skin=skin, threads=threads, **of_ase)
        self.set(driver=driver)

    def _checks(self) -> dict:
        return {"driver": self.committee.check_driver, **super()._checks()}

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        if atoms is None:
            atoms = self.atoms
        else:
            self._remember(atoms)
        wanted = set(properties)
        periodic = has_volume(atoms)
        if not periodic and wanted & {"stress", "stress_members"}:
            raise PropertyNotImplementedError(
                "stress: the structure has no periodic cell with a volume"
            )
        self.potential.check_periodicity(atoms)
        neighbourhood = self._neighbourhood(atoms)
        asked = bool(wanted & {"forces_members", "stress_members"})
        out = self.committee.evaluate(
            atoms,
            driver=self.driver,
            forces_members=asked,
            neighbourhood=neighbourhood,
            threads=self.threads,
        )
        names = ("energy", "energies", "forces", "energy_members", "energies_members")
        self.results = {name: getattr(out, name) for name in names}
        self.results["free_energy"] = out.energy
        if periodic:
            self.results["stress"] = stress_of(out.virial, atoms)
        if asked:
            self.results["forces_members"] = out.forces_members
            if periodic and out.virial_members is not None:
                self.results["stress_members"] = stress_of(out.virial_members, atoms)


def sample(potential, n: int, seed: int, cover=None) -> Committee:
    """A committee of n posterior samples; see `Potential.sample`."""
    if not (isinstance(n, Integral) and n >= 1):
        raise GapyError(f"n: expected a number of members of at least 1, got {n!r}")
    if not (isinstance(seed, Integral) and seed >= 0):
        raise GapyError(
            f"seed: expected a non-negative integer, so that samples can be repeated, got {seed!r}"
        )
    if cover is not None:
        potential = _covering(potential, list(cover), seed)
    return Committee(potential, *sample_weights(potential.posterior, int(n), int(seed)), int(seed))


def _covering(potential, frames, seed: int):
    """The same potential with inducing points added that describe `frames`."""
    for atoms in frames:
        potential.check_species(atoms.numbers)
        potential.check_periodicity(atoms)
    if not frames:
        raise GapyError("cover: expected at least one structure, got none; leave it out or add one")
    terms, posterior = potential.terms, potential.posterior
    added = points_to_add(terms, posterior, frames, seed)
    terms, posterior = augmented(terms, posterior, added)
    note = {"cover": [len(x_ed) for x_ed in added]}
    return replace(
        potential, terms=terms, posterior=posterior, metadata={**potential.metadata, **note}
    )
