"""`fix external`: the engine on LAMMPS' positions where the pair style cannot be compiled.

A fix has no communication of its own. So ghosts reach over twice the cutoff, and each rank computes
the centres among them that its own atoms feel: what ranks share is computed twice, and borders cost
as much again. The energies and the virial are those of the rank's own atoms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gapy.engines.lammps.frame import Box, RankAtoms, save_frame
from gapy.engines.lammps.signals import raise_deferred
from gapy.engines.lammps.style import Keywords
from gapy.geometry.neighbours import neighbour_list
from gapy.geometry.pairs import Pairs

FIX = "gapy"


class Sides(NamedTuple):
    """Pairs of the rank's own atoms, and of the ghosts that are their neighbours."""

    own: Pairs
    others: Pairs


def sides(positions: np.ndarray, n_own: int, cutoff: float) -> Sides:
    """Pairs (A) of atoms without images, the first n_own of which are the rank's own.

    Ghosts must reach over twice the cutoff from them.
    """
    found = neighbour_list(positions, np.zeros((3, 3)), np.zeros(3, dtype=bool), cutoff)
    cut = found.first_i[n_own]
    own = Pairs(
        np.arange(n_own), found.first_i[: n_own + 1], found.j_p[:cut], found.r_pc[:cut], cutoff
    )
    near = np.unique(own.j_p)
    near = near[near >= n_own]
    counts = np.diff(found.first_i)[near]
    first_i = np.concatenate([[0], np.cumsum(counts)])
    at = np.arange(first_i[-1]) + np.repeat(found.first_i[near] - first_i[:-1], counts)
    return Sides(own, Pairs(near, first_i, found.j_p[at], found.r_pc[at], cutoff))


class External:
    """Callback of the fix: forces, energies, virial; the force sigma where a limit is set.

    raised: the first error, the same on all ranks; stopped: why the run stopped by its sigma.
    """

    def __init__(self, lmp, potential, numbers, seen, keywords: Keywords):
        """numbers, seen (n_types,): atomic number of each type, False for one named NULL."""
        self.raised: BaseException | None = None
        self.stopped: str | None = None
        self._lmp, self._potential, self._keywords = lmp, potential, keywords
        self._numbers, self._seen = np.array(numbers), np.array(seen)
        self._world = lmp.get_mpi_comm()

    def __call__(self, caller, step, n_own, tag, x, forces) -> None:
        """What LAMMPS calls; forces (n_own, 3) eV/A are an output.

        An exception would be lost in C, and one rank's must end all of them.
        """
        try:
            raise_deferred()
            failed, done = None, self._evaluate(step, n_own)
        except BaseException as error:
            failed = error
        errors = [e for e in self._world.allgather(failed) if e is not None]
        if errors or self.raised:
            self.raised = self.raised or errors[0]
            forces[:] = 0.0
            self._lmp.force_timeout()  # the run ends after this step; who began it raises
            return
        found, energies, virial, sigma = done
        forces[:] = found
        self._tell(energies, virial)
        if sigma is not None:
            self._watch(step, n_own, tag, x, sigma)

    def _evaluate(self, step, n_own):
        """(forces, energies, virial, sigma or None) of the rank's own atoms."""
        potential, keywords = self._potential, self._keywords
        n = n_own + self._lmp.extract_setting("nghost")
        types = self._lmp.numpy.extract_atom("type", nelem=n) - 1
        listed = np.flatnonzero(self._seen[types])
        x = self._lmp.numpy.extract_atom("x", nelem=n, dim=3)[listed]
        numbers, mine = self._numbers[types[listed]], int((listed < n_own).sum())
        forces, energies, sigma = np.zeros((n_own, 3)), np.zeros(n_own), np.zeros(n_own)
        wants = bool(np.isfinite(keywords.limit) and step % keywords.every == 0)
        if not mine:
            return forces, energies, np.zeros((3, 3)), sigma if wants else None
        pairs = sides(x, mine, potential.pairs_cutoff)
        draws = wants and keywords.posterior > 0 and step % keywords.posterior == 0
        mode = wants and ("posterior" if draws else "cheap")
        own = potential.evaluate_arrays(numbers, pairs.own, indicators=mode)
        others = potential.evaluate_arrays(numbers, pairs.others, indicators=mode)
        at = listed[:mine]
        total = own.forces + others.forces
        forces[at], energies[at] = total[:mine], own.energies[:mine]
        if wants:
            base = None
            if potential.baselines:
                base = own.baseline_forces + others.baseline_forces
            sigma[at] = potential.force_std(
                own.indicators + others.indicators, numbers, pairs.own, total, base,
                deviations=own.deviations + others.deviations if draws else None,
            )[:mine]  # fmt: skip
        return forces, energies, own.virial, sigma if wants else None

    def _tell(self, energies, virial) -> None:
        lmp, world = self._lmp, self._world
        total = world.allreduce(np.append(virial, energies.sum()))
        w = -0.5 * (total[:9].reshape(3, 3) + total[:9].reshape(3, 3).T)
        lmp.fix_external_set_energy_global(FIX, total[9])
        lmp.fix_external_set_energy_peratom(FIX, energies)
        voigt = (w[0, 0], w[1, 1], w[2, 2], w[0, 1], w[0, 2], w[1, 2])
        lmp.fix_external_set_virial_global(FIX, voigt)

    def _watch(self, step, n_own, tag, x, sigma) -> None:
        """Stop all ranks where the largest sigma passes the limit, as the pair style does."""
        here = np.inf if np.isnan(sigma).any() else float(sigma.max(initial=0.0))
        if self.stopped or not max(self._world.allgather(here)) > self._keywords.limit:
            return
        lmp = self._lmp
        lower, upper, xy, yz, xz, periodic, _ = lmp.extract_box()
        a, b, c = np.subtract(upper, lower)
        types = lmp.numpy.extract_atom("type", nelem=n_own) - 1
        atoms = RankAtoms(
            np.array(tag).reshape(-1), self._numbers[types], np.array(x),
            np.array(lmp.numpy.extract_atom("v", nelem=n_own, dim=3)), sigma,
        )  # fmt: skip
        box = Box(
            np.array([[a, 0, 0], [xy, b, 0], [xz, yz, c]]),
            np.array(lower),
            np.array(periodic, dtype=bool),
        )
        try:
            self.stopped = save_frame(
                self._world, atoms, box,
                step=int(step), limit=self._keywords.limit, path=self._keywords.frame,
            )  # fmt: skip
        except Exception as error:  # the same on all ranks
            self.raised = error
        lmp.force_timeout()
