"""Active learning: explore with the model, label what it does not know, update it, go on.

Names are imported when first used: a labelling process imports the oracle, not the model.
"""

from importlib import import_module

_HOME = {
    "learn": "gapy.active.run",
    "LearnResult": "gapy.active.result",
    "Oracle": "gapy.active.oracle",
    "Label": "gapy.active.labels",
    "Failure": "gapy.active.labels",
    "Policy": "gapy.active.policy",
    "Budget": "gapy.active.policy",
    "Stop": "gapy.active.policy",
    "Initial": "gapy.active.initial",
    "Model": "gapy.active.model",
    "GPModel": "gapy.active.model",
    "Store": "gapy.active.store",
    "Frame": "gapy.active.frames",
    "Request": "gapy.active.frames",
    "Explorer": "gapy.active.explorers.base",
    "MD": "gapy.active.explorers.dynamics",
    "Relaxation": "gapy.active.explorers.relaxation",
    "BasinHopping": "gapy.active.explorers.hopping",
    "RandomStructures": "gapy.active.explorers.packing",
    "Swaps": "gapy.active.explorers.swaps",
    "read_config": "gapy.active.config",
    "learn_from_config": "gapy.active.run",
}

__all__ = list(_HOME)


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'gapy.active' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_HOME])
