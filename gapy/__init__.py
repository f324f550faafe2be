"""gapy: Gaussian-process interatomic potentials with error bars."""

__version__ = "0.1.0"
