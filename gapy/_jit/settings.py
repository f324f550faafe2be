"""Compiler flags and the decorator that every kernel shares."""

import warnings
from pathlib import Path

import numba

# Re-association and contraction let the compiler vectorise sums. NaN and infinity keep their
# meaning (no "nnan", no "ninf"): a broken input must stay visible in the output.
FAST = {"reassoc", "contract", "nsz", "arcp"}

NO_PLACE = "no locator available"
"""In numba's RuntimeError where it finds no directory to keep compiled code in."""


SOURCES = tuple(
    (path.name, path.stat().st_mtime_ns, path.stat().st_size)
    for path in sorted(Path(__file__).parent.glob("*.py"))
)
"""State of all files of kernels. One calls another across files and has it compiled in, so that
code kept from before a change of any of them is stale; numba looks at a kernel's own file only."""


class _Warned:
    """Whether the missing cache was reported: every kernel meets it, one warning is enough."""

    yet = False


def njit(**options):
    """`numba.njit` that compiles at every start where compiled code cannot be kept on disk.

    A container or a cluster may have the package and the home directory read-only.
    """
    compiled = numba.njit(**options)
    uncached = numba.njit(**{**options, "cache": False})

    def decorate(function):
        try:
            return _of_all_sources(compiled(function))
        except RuntimeError as error:
            if NO_PLACE not in str(error):
                raise
            _warn()
            return uncached(function)

    return decorate


def _of_all_sources(kernel):
    """The kernel, whose compiled code on disk counts as long as no file of kernels changes."""
    # There is no public way; without these names numba goes by the kernel's own file.
    cache_file = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
    if hasattr(cache_file, "_source_stamp"):
        cache_file._source_stamp = (cache_file._source_stamp, SOURCES)
    return kernel


def _warn() -> None:
    if _Warned.yet:
        return
    _Warned.yet = True
    warnings.warn(
        "numba's cache: expected a directory that can be written, got none (neither beside the "
        "package nor in the home directory), so that kernels are compiled anew at every start, "
        "which takes a minute or so; set NUMBA_CACHE_DIR to one",
        UserWarning,
        stacklevel=3,
    )
