"""The functions that pair style gapy calls, in the process that runs LAMMPS.

An exception must not pass through C++: it becomes a message there, on which all ranks stop, and is
kept here for who started the run.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from gapy.engines.lammps import elsewhere, structs
from gapy.engines.lammps.domain import (
    domain_precision,
    fit_for_domains,
    force_sigmas,
    member_of,
    numbers_of,
    open_model,
)
from gapy.engines.lammps.frame import Box, RankAtoms, save_frame
from gapy.engines.lammps.signals import raise_deferred
from gapy.engines.lammps.structs import view
from gapy.errors import GapyError
from gapy.geometry.pairs import Pairs
from gapy.model.arrays import N_DEVIATIONS, N_INDICATORS
from gapy.model.potential import Potential


class Engine:
    """The potentials of the pair styles of a process, and the callbacks that evaluate them.

    raised: the exception behind the last error; stopped: why the run stopped by its force sigma.
    """

    def __init__(self):
        self.raised: BaseException | None = None
        self.stopped: str | None = None
        self._models: dict[int, Potential] = {}
        self._left_out: dict[int, elsewhere.LeftOut] = {}
        self._lent: dict[str, Potential] = {}
        self._names = itertools.count()
        self.callbacks = structs.Callbacks(
            structs.OPEN(self._open),
            structs.BESIDE(self._beside),
            structs.ON_PART(self._guarded(self._evaluate)),
            structs.ON_PART(self._guarded(self._sigma)),
            structs.STOPPED(self._stopped),
            structs.CLOSE(self._close),
        )

    def lend(self, name: str, potential: Potential) -> None:
        """From now on, `name` in a pair_coeff line is this potential instead of a file.

        Raises GapyError for one that LAMMPS' domains cannot use, or a name of several words.
        """
        if name.split() != [name]:
            raise GapyError(f"models: expected names of one word, got {name!r}; name it otherwise")
        needed = tuple(b for b in potential.baselines if elsewhere.refusal(b))
        fit_for_domains(replace(potential, baselines=needed), name)
        self._lent[name] = potential

    def forget(self) -> None:
        """No error and no stop yet, of the run that begins."""
        self.raised = self.stopped = None

    def _guarded(self, function):
        def call(argument, message) -> int:
            return self._try(message, function, argument.contents)

        return call

    def _try(self, message, function, *arguments) -> int:
        try:
            raise_deferred()
            function(*arguments)
        except BaseException as error:  # also KeyboardInterrupt: ctypes would drop it
            self.raised = error
            text = str(error) or type(error).__name__
            structs.write_message(message, f"pair_style gapy: {text}")
            return 0
        return 1

    def _open(
        self, path, symbols, without, precision, member, every, model, numbers, message
    ) -> int:
        def read():
            named, given = path.decode(), symbols.decode().split()
            if named in self._lent:
                potential = member_of(self._lent[named], member)
            else:
                potential = open_model(named, member)
            potential = domain_precision(potential, precision.decode())
            potential, left_out = elsewhere.take_out(
                potential, without.decode().split(), given, named
            )
            fit_for_domains(potential, named, lambda b: elsewhere.remedy(b, named, given))
            view(numbers, len(given))[:] = numbers_of(potential, given)
            name = next(self._names)
            self._models[name], self._left_out[name] = potential, left_out
            model.contents.model = name
            model.contents.cutoff = potential.pairs_cutoff
            model.contents.has_baselines = bool(potential.baselines)
            model.contents.leaves_out = bool(left_out.baselines)
            model.contents.charge_width = left_out.width
            model.contents.posterior_every, line = force_sigmas(potential, every)
            structs.write_message(message, "; ".join(filter(None, (line, left_out.said()))))

        return self._try(message, read)

    def _beside(self, model, around, message) -> int:
        def require():
            left_out, seen = self._left_out[model], around.contents
            n = len(left_out.symbols)
            left_out.require(
                elsewhere.Around(
                    g_ewald=seen.g_ewald,
                    accuracy=seen.accuracy,
                    dielectric=seen.dielectric,
                    computes=bool(seen.computes),
                    has_slab=bool(seen.has_slab),
                    has_d3=bool(seen.has_d3),
                    has_coulomb=bool(seen.has_coulomb),
                    n_without=seen.n_without,
                    is_scaled=bool(seen.is_scaled),
                    charge_low=view(seen.charge_low, n),
                    charge_high=view(seen.charge_high, n),
                    mean_charge=seen.mean_charge,
                )
            )

        return self._try(message, require)

    def _close(self, model) -> None:
        self._models.pop(model, None)
        self._left_out.pop(model, None)

    def _evaluate(self, part) -> None:
        numbers, pairs, potential = self._problem(part)
        indicators = bool(part.wants_indicators) and (
            "posterior" if part.wants_deviations else "cheap"
        )
        out = potential.evaluate_arrays(numbers, pairs, indicators=indicators)
        n, centres = part.n_atoms, part.n_centres
        view(part.energies, centres)[:] = out.energies[:centres]
        view(part.forces, n, 3)[:] = out.forces
        if out.baseline_forces is not None:
            view(part.base_forces, n, 3)[:] = out.baseline_forces
        if indicators:
            view(part.indicators, n, N_INDICATORS)[:] = out.indicators
        if part.wants_deviations:
            view(part.deviations, n, N_DEVIATIONS)[:] = out.deviations
        part.virial[:] = out.virial.ravel()

    def _sigma(self, part) -> None:
        numbers, pairs, potential = self._problem(part)
        n = part.n_atoms
        base = view(part.base_forces, n, 3) if potential.baselines else None
        deviations = view(part.deviations, n, N_DEVIATIONS) if part.wants_deviations else None
        sigma = potential.force_std(
            view(part.indicators, n, N_INDICATORS), numbers, pairs, view(part.forces, n, 3), base,
            deviations=deviations,
        )  # fmt: skip
        view(part.sigma, part.n_centres)[:] = sigma[: part.n_centres]

    def _problem(self, part):
        """(numbers, pairs, potential) of a part, views of its memory."""
        potential = self._models[part.model]
        centres, n_pairs = part.n_centres, part.n_pairs
        pairs = Pairs(
            np.arange(centres),
            view(part.first, centres + 1),
            view(part.neighbour, n_pairs),
            view(part.vector, n_pairs, 3),
            potential.pairs_cutoff,
        )
        return view(part.number, part.n_atoms), pairs, potential

    def _stopped(self, frame, message) -> int:
        def save():
            self.stopped = _save(frame.contents)
            structs.write_message(message, self.stopped)

        return self._try(message, save)


def _save(frame) -> str:
    from mpi4py import MPI

    n = frame.n_owned
    atoms = RankAtoms(
        view(frame.tag, n),
        view(frame.number, n),
        view(frame.positions, n, 3),
        view(frame.velocities, n, 3),
        view(frame.sigma, n),
    )
    box = Box(
        np.array(frame.cell).reshape(3, 3),
        np.array(frame.origin),
        np.array(frame.periodic, dtype=bool),
    )
    return save_frame(
        MPI.Comm.f2py(frame.world),
        atoms,
        box,
        step=frame.step,
        limit=frame.limit,
        path=frame.path.decode(),
    )
