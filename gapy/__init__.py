"""gapy: Gaussian-process interatomic potentials with error bars.

Names and modules are imported when first used, so that `import gapy` stays fast.
"""

from importlib import import_module

from gapy import ase_properties

__version__ = "0.1.0"

_HOME = {
    "SparseGPRegressor": "gapy.regressor",
    "TermSettings": "gapy.fit.term_settings",
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
    "standard_deviations": "gapy.ase_properties",
    "with_error": "gapy.propagation",
}

__all__ = ["__version__", *_HOME]

ase_properties.register()


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if not name.startswith("_"):
        try:
            return import_module(f"gapy.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"gapy.{name}":  # something else is missing, in a module that is there
                raise
    raise AttributeError(f"module 'gapy' has no attribute {name!r}")


def __dir__():
    from pkgutil import iter_modules

    modules = (m.name for m in iter_modules(__path__) if not m.name.startswith("_"))
    return sorted({*globals(), *_HOME, *modules})
