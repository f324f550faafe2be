"""A fit in parts on a SLURM cluster, by `dask-jobqueue`: workers are jobs of the queue.

    pip install "gapy[dask]" dask-jobqueue
    python examples/fit_on_slurm.py data/*.xyz -o model.gapy --species Cu Au --workers 64
    python examples/fit_on_slurm.py ... --show       print the job that is submitted, do nothing
    python examples/fit_on_slurm.py ... --here       run the jobs as processes of this machine

It runs on a node from which jobs can be submitted and which they can reach; the files must be
visible to all. The options of SLURMCluster (queue, account, ...) are where the cluster is made.
"""

from __future__ import annotations

import argparse

from dask_jobqueue import SLURMCluster
from dask_jobqueue.local import LocalCluster
from distributed import Client

import gapy
from gapy.descriptors import smooth_soap
from gapy.distributed import fit

JOB = {
    "cores": 1,
    "processes": 1,
    "memory": "4GB",
    "walltime": "02:00:00",
    "job_script_prologue": ["export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1"],
}
OF_QUEUES = ("walltime", "job_script_prologue")


def main() -> None:
    """Parse, submit, fit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", nargs="+")
    parser.add_argument("-o", "--output", required=True, metavar="MODEL.gapy")
    parser.add_argument("--species", nargs="+", required=True)
    parser.add_argument("--r-cut", type=float, default=5.0)
    parser.add_argument("--n-inducing", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--here", action="store_true")
    given = parser.parse_args()
    if given.here:
        cluster = LocalCluster(**{k: v for k, v in JOB.items() if k not in OF_QUEUES})
    else:
        cluster = SLURMCluster(**JOB)
    with cluster:
        if given.show:
            print(cluster.job_script())
            return
        cluster.scale(given.workers)
        with Client(cluster) as client:
            client.wait_for_workers(1)
            soap = smooth_soap(given.species, r_cut=given.r_cut, n_max=8, l_max=6)
            gp = gapy.SparseGPRegressor(soap, n_inducing=given.n_inducing, zeta=2, optimize=True)
            fit(given.train, gp, client=client)
            gp.potential_.save(given.output)
            n = len(client.nthreads())
            print(f"{n} workers, {gp.n_structures_} structures, {given.output}")


if __name__ == "__main__":
    main()
