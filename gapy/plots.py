"""All pictures of gapy, by one name each; they return matplotlib Axes, and draw into given ones.

Pictures of one panel return one Axes, those of several a tuple; `.figure` of an Axes is the figure.
"""

from importlib import import_module

_HOME = {
    "parity": ("gapy.validation.plots", "parity"),
    "sigma_against_error": ("gapy.validation.plots", "sigma_against_error"),
    "reliability": ("gapy.validation.reliability_plot", "reliability"),
    "md_timeline": ("gapy.validation.plots", "md_timeline"),
    "eos": ("gapy.validation.property_plots", "eos"),
    "phonons": ("gapy.validation.property_plots", "phonons"),
    "environment_map": ("gapy.inspection.picture", "environment_map"),
    "inspection": ("gapy.inspection.picture", "picture"),
    "error_against_cost": ("gapy.tuning.picture", "pareto"),
    "learning_curve": ("gapy.active.pictures", "learning_curve"),
    "labels_over_time": ("gapy.active.pictures", "labels_over_time"),
    "found_errors": ("gapy.active.pictures", "found_errors"),
}

__all__ = list(_HOME)


def __getattr__(name):
    if name in _HOME:
        module, home = _HOME[name]
        return getattr(import_module(module), home)
    raise AttributeError(f"module 'gapy.plots' has no attribute {name!r}")
