"""gapy: Gaussian-process interatomic potentials with error bars.

Names and modules are imported when first used, so that `import gapy` stays fast.
"""

from importlib import import_module

from gapy._support import ase_properties, moved

__version__ = "0.2.0"

_HOME = {
    "SparseGPRegressor": "gapy.fit.regressor",
    "SparseGPR": "gapy.fit.array_regressor",
    "TermSettings": "gapy.fit.term_settings",
    "Pair": "gapy.fit.pair_settings",
    "Potential": "gapy.model.potential",
    "GAPCalculator": "gapy.model.calculator",
    "Committee": "gapy.model.committee",
    "Noise": "gapy.gp.noise",
    "LabelKeys": "gapy.structures",
    "read_structures": "gapy.structures",
    "load": "gapy.model.loading",
    "run_md": "gapy.md",
    "evaluate": "gapy.validation.evaluation",
    "validate": "gapy.validation.validating",
    "inspect": "gapy.inspection",
    "standard_deviations": "gapy._support.ase_properties",
    "with_error": "gapy.validation.propagation",
}

__all__ = ["__version__", *_HOME]

ase_properties.register()
moved.install()


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
    old = (name.removeprefix("gapy.") for name in moved.MOVED)
    return sorted({*globals(), *_HOME, *modules, *old})
