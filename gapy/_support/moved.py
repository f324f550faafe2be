"""Documented names of modules that moved into rooms: each imports the module as it is now."""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec

MOVED = {
    "gapy.arrays": "gapy.model.arrays",
    "gapy.ase_properties": "gapy._support.ase_properties",
    "gapy.calculator": "gapy.model.calculator",
    "gapy.committee": "gapy.model.committee",
    "gapy.evaluation": "gapy.validation.evaluation",
    "gapy.modelschema": "gapy.model.modelschema",
    "gapy.noise": "gapy.gp.noise",
    "gapy.potential": "gapy.model.potential",
    "gapy.propagation": "gapy.validation.propagation",
    "gapy.regressor": "gapy.fit.regressor",
    "gapy.reliability": "gapy.validation.reliability",
    "gapy.state": "gapy.fit.checkpoint",
    "gapy.update": "gapy.fit.update",
}
ASE = {"ase.calculators.gapy": "gapy.model.calculator"}
"""The module in which ASE looks for the calculator of the name "gapy"."""


class _Moved:
    """Finder and loader, asked last: a module that is there under a name of the table comes first.

    Without the base classes of importlib.abc, whose import takes longer than that of gapy.
    """

    def find_spec(self, fullname, path=None, target=None):
        return ModuleSpec(fullname, self) if fullname in MOVED | ASE else None

    def create_module(self, spec):
        return None  # as usual

    def exec_module(self, module):
        # The import system hands out what is in sys.modules afterwards: one module, two names.
        sys.modules[module.__name__] = import_module((MOVED | ASE)[module.__name__])


def install() -> None:
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.append(_Moved())
