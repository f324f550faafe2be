"""gapy: Gaussian-process interatomic potentials with error bars.

Names are imported when first used, so that `import gapy` stays fast.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "SparseGPRegressor": "gapy.regressor",
    "Potential": "gapy.potential",
    "GAPCalculator": "gapy.calculator",
    "Committee": "gapy.committee",
    "Noise": "gapy.noise",
    "LabelKeys": "gapy.structures",
    "read_structures": "gapy.structures",
    "load": "gapy.potential",
    "run_md": "gapy.md",
    "evaluate": "gapy.evaluation",
    "inspect": "gapy.inspection",
    "with_error": "gapy.propagation",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'gapy' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_HOME])
