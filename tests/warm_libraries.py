"""What the waiting process of `warm` imports: libraries that gapy uses, nothing of gapy."""

from importlib import import_module

import numba

for name in (
    "ase.build", "ase.calculators.emt", "ase.db", "ase.filters", "ase.io.extxyz", "ase.optimize",
    "dscribe.descriptors", "matplotlib.backends.backend_agg", "matplotlib.figure", "rich.live",
    "rich.progress", "typer", "vesin",
):  # fmt: skip
    import_module(name)

numba.njit(lambda x: x + 1.0)(1.0)  # what numba sets up before it loads a first function
