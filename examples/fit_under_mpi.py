"""A fit in parts under MPI, by `dask-mpi`: one batch job, whatever the queueing system.

    pip install "gapy[dask]" dask-mpi mpi4py
    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
    mpiexec -n 66 python examples/fit_under_mpi.py data/*.xyz -o model.gapy --species Cu Au

Rank 0 becomes the scheduler, rank 1 goes on with this script, all others are workers of one thread,
so that -n is the number of workers plus two.
"""

from __future__ import annotations

import argparse

from dask_mpi import initialize
from distributed import Client

import gapy
from gapy.descriptors import smooth_soap
from gapy.distributed import fit


def main() -> None:
    """Parse, become scheduler or worker, or fit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", nargs="+")
    parser.add_argument("-o", "--output", required=True, metavar="MODEL.gapy")
    parser.add_argument("--species", nargs="+", required=True)
    parser.add_argument("--r-cut", type=float, default=5.0)
    parser.add_argument("--n-inducing", type=int, default=1000)
    given = parser.parse_args()
    initialize(nthreads=1, nanny=False, dashboard=False)
    with Client() as client:
        soap = smooth_soap(given.species, r_cut=given.r_cut, n_max=8, l_max=6)
        gp = gapy.SparseGPRegressor(soap, n_inducing=given.n_inducing, zeta=2, optimize=True)
        fit(given.train, gp, client=client)
        gp.potential_.save(given.output)
        print(f"{len(client.nthreads())} workers, {gp.n_structures_} structures, {given.output}")


if __name__ == "__main__":
    main()
