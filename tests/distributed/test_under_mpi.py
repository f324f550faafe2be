"""Workers that are ranks of MPI work each by itself."""

import subprocess
import sys
from pathlib import Path

import ase.io
import pytest
from helpers import labelled_frames

pytest.importorskip("mpi4py")
READS = """
import sys
from mpi4py import MPI
from gapy.structures import frame_sizes, read_part, read_structures
if MPI.COMM_WORLD.rank == 1:  # alone: the other rank is a scheduler
    for name in sys.argv[1:]:
        print(len(read_structures(name)), len(read_part(name, 1, 3)[0]), sum(frame_sizes(name)))
"""


def test_a_rank_reads_alone(tmp_path):
    mpiexec = Path(sys.executable).parent / "mpiexec"
    if not mpiexec.exists():
        pytest.skip("no mpiexec here")
    frames = labelled_frames(4, seed=1)
    ase.io.write(tmp_path / "a.xyz", frames, format="extxyz")
    names = [tmp_path / "a.xyz"]
    done = subprocess.run(
        [mpiexec, "-n", "2", sys.executable, "-c", READS, *names],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["4", "2", str(sum(map(len, frames)))]
