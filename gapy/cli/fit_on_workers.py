"""`gapy fit --workers N` or `--scheduler ADDRESS`: the same fit in parts on a Dask cluster."""

from __future__ import annotations

import sys

from gapy.cli.automatic import completed
from gapy.cli.idle import refuse_idle_among
from gapy.cli.settings import FitSettings
from gapy.errors import GapyError


def fit_on_workers(settings: FitSettings, keys, workers: int | None, scheduler: str | None):
    """The fitted regressor; prints what was chosen from the data, and where to watch the work.

    Raises GapyError for both or a wrong number of workers, and what `gapy.distributed.fit` raises.
    """
    if workers is not None and scheduler is not None:
        raise GapyError(
            "workers: expected a number or the address of a scheduler, got both; leave one out"
        )
    if workers is not None and workers < 1:
        raise GapyError(f"workers: expected a number of at least 1, got {workers}")
    from gapy.distributed.fitting import connected, fit

    def choose(summary):
        from ase.data import chemical_symbols

        from gapy.fit.regressor import SparseGPRegressor
        from gapy.geometry.neighbours import check_reach

        refuse_idle_among(settings, summary.kinds)
        atoms = {chemical_symbols[z]: n for z, n in summary.atoms.items()}
        chosen, words = completed(settings, summary.typical, atoms)
        if words:
            print(words, flush=True)
        check_reach(summary.largest.atoms, chosen.r_cut)
        return SparseGPRegressor(
            chosen.soap(list(atoms)),
            **chosen.regressor_arguments(),
            energy_key=keys.energy,
            forces_key=keys.forces,
            stress_key=keys.stress,
            progress=sys.stderr.isatty(),
        )

    with connected(workers, scheduler) as client:
        n = len(client.scheduler_info()["workers"])
        print(f"{n} workers, dashboard {client.dashboard_link}", flush=True)
        return fit(
            settings.train, choose, client=client, keys=keys, seed=settings.seed,
            progress=sys.stderr.isatty(),
        )  # fmt: skip
