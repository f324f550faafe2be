"""`gapy fit --workers N` or `--scheduler ADDRESS`: the same fit in parts on a Dask cluster."""

from __future__ import annotations

import sys

from gapy.cli.automatic import completed, regressor_of
from gapy.cli.idle import refuse_idle_among
from gapy.cli.settings import FitSettings


def fit_on_workers(settings: FitSettings, keys, workers: int | None, scheduler: str | None):
    """The fitted regressor; prints what was chosen from the data, and where to watch the work.

    Raises what `gapy.distributed.fit` raises.
    """
    from gapy.distributed.cluster import connected
    from gapy.distributed.fitting import fit

    def choose(summary):
        from ase.data import chemical_symbols

        refuse_idle_among(settings, summary.kinds)
        atoms = {chemical_symbols[z]: n for z, n in summary.atoms.items()}
        chosen, words = completed(settings, summary.typical, atoms)
        if words:
            print(words, flush=True)
        return regressor_of(chosen, atoms, [summary.largest])

    with connected(workers, scheduler) as client:
        n = len(client.nthreads())
        print(f"{n} workers, dashboard {client.dashboard_link}", flush=True)
        return fit(
            settings.train, choose, client=client, keys=keys, seed=settings.seed,
            baselines=settings.baselines(),
            progress=sys.stderr.isatty(),
        )  # fmt: skip
