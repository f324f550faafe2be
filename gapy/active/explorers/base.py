"""An explorer: one walker that shows a structure with its sigma at every step."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from gapy.active.frames import Frame
from gapy.errors import GapyError


class Explorer:
    """One walker. Subclasses write `_begin`, `_advance` and, if they keep more, `_state`.

    The loop calls `begin` once (or `set_state` on resuming), `attach` with a fresh calculator at
    every checkpoint and after every update of the model, and `advance` for each step. Whatever
    `advance` uses beyond `get_state` must be rebuilt in `attach`: only then does a resumed walker
    repeat an uninterrupted one bit by bit.

    Attributes
    ----------
    kind : name of the explorer; has_time : whether its steps are simulated time
    start : the structure it begins with; stages : parts of its schedule
    step : steps so far; finished : why there is nothing more to do, or None
    """

    kind = "explorer"
    has_time = False
    stages = 1

    def __init__(self, start: Atoms):
        if not isinstance(start, Atoms) or len(start) == 0:
            raise GapyError(f"start: expected ase.Atoms with at least one atom, got {start!r:.80}")
        self.start = start.copy()
        self.start.calc = None
        self.atoms = self.start.copy()
        self.rng = np.random.default_rng(0)
        self.step = 0
        self.finished: str | None = None

    # -- what the loop calls --------------------------------------------------------------------

    def begin(self, rng: np.random.Generator) -> None:
        """Step 0, every random number from `rng`."""
        self.rng = rng
        self.step = 0
        self.finished = None
        self.restart()

    def attach(self, calculator) -> None:
        """Use this calculator from now on; it has seen nothing yet."""
        self.atoms.calc = calculator

    def advance(self) -> Frame | None:
        """One step; None when there is none left, and `finished` says why."""
        raise NotImplementedError

    def close(self) -> None:
        """The loop has ended: end what was started outside of this process."""

    def restart(self) -> None:
        """Go back to the start structure, with new random numbers; the steps go on counting."""
        calculator = self.atoms.calc
        self.atoms = self.start.copy()
        self.atoms.calc = calculator

    def get_state(self) -> dict:
        """All that is needed to go on: plain data and arrays."""
        return {
            "numbers": np.array(self.atoms.numbers),
            "positions": np.array(self.atoms.positions),
            "cell": np.array(self.atoms.cell.array),
            "momenta": np.array(self.atoms.get_momenta()),
            "random": self.rng.bit_generator.state,
            "step": self.step,
            "finished": self.finished,
            **self._state(),
        }

    def set_state(self, state: dict) -> None:
        """The inverse of `get_state`."""
        state = dict(state)
        self.atoms = self.start.copy()
        self.atoms.numbers[:] = state.pop("numbers")
        self.atoms.set_cell(state.pop("cell"))
        self.atoms.set_positions(state.pop("positions"), apply_constraint=False)
        self.atoms.set_momenta(state.pop("momenta"), apply_constraint=False)
        self.rng = np.random.default_rng(0)
        self.rng.bit_generator.state = state.pop("random")
        self.step = state.pop("step")
        self.finished = state.pop("finished")
        self._set_state(state)

    def plan(self) -> str:
        """One line for `--dry-run`."""
        return f"{self.kind}, {self.start.get_chemical_formula()}"

    def total_steps(self) -> int | None:
        """Steps until it is finished; None without an end."""
        return None

    # -- for subclasses -------------------------------------------------------------------------

    def _state(self) -> dict:
        return {}

    def _set_state(self, state: dict) -> None:
        pass

    def _frame(
        self, atoms: Atoms | None = None, *, time_ps=0.0, temperature=None, stage=0
    ) -> Frame:
        """The frame of `atoms` (default: the walker's) from its calculator's results."""
        atoms = self.atoms if atoms is None else atoms
        forces = atoms.get_forces(apply_constraint=False)
        results = atoms.calc.results
        if results.get("forces_std") is None:
            raise GapyError(
                f"calculator {type(atoms.calc).__name__} gives no forces_std, which an explorer "
                "needs; switch its uncertainty on (potential.calculator(uncertainty=True))"
            )
        frame = Frame(
            atoms=atoms,
            energy=float(results["energy"]),
            forces=forces,
            forces_std=np.asarray(results["forces_std"]).reshape(len(atoms), -1).max(axis=1),
            step=self.step,
            time_ps=time_ps,
            temperature=temperature,
            stage=stage,
        )
        finite = np.isfinite(frame.forces).all() and np.isfinite(frame.forces_std).all()
        if not finite:
            return self._broken("forces are not finite", frame)
        return frame

    def _broken(self, reason: str, frame: Frame | None = None, **more) -> Frame:
        n = len(self.atoms)
        given = {} if frame is None else {"time_ps": frame.time_ps, "stage": frame.stage}
        return Frame(
            atoms=self.atoms,
            energy=float("nan"),
            forces=np.full((n, 3), np.nan),
            forces_std=np.full(n, np.inf),
            step=self.step,
            broken=reason,
            **{"time_ps": 0.0, **given, **more},
        )


def rng_of(seed: int, index: int) -> np.random.Generator:
    """The generator of walker `index` in a loop with this seed."""
    return np.random.default_rng([int(seed), int(index)])
