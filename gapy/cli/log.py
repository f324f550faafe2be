"""The log beside an output: what a command prints, in a file too, from when its work begins."""

from __future__ import annotations

import re
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gapy
from gapy._support.files import is_device
from gapy._support.outputs import LOG, Output, output_file
from gapy.errors import GapyError

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What moves the cursor of a terminal."""


def log_of(output) -> Path | None:
    """The log beside an output file; None beside a device."""
    path = Path(output)
    return None if is_device(path) else path.with_name(f"{path.name}.log")


def log_output(path: Path | None) -> list[Output]:
    """The log among the outputs that are looked at before the work."""
    return output_file("output", path, LOG)


def require_one(quiet: bool, verbose: bool) -> None:
    """GapyError for both."""
    if quiet and verbose:
        raise GapyError("quiet and verbose exclude each other; give one of them")


class Log:
    """Lines of a run: kept until `begin` opens the file, so that a refused run leaves none behind.

    Arguments
    ---------
    path : of the file; None: nothing is written
    append : whether an older log goes on
    """

    def __init__(self, path, *, append: bool = False):
        self._path, self._append = path, append
        self._kept: list[str] = []
        self._file = None

    def line(self, text: str) -> None:
        """Add a line."""
        if self._file is None:
            self._kept.append(text)
        else:
            print(text, file=self._file, flush=True)

    def begin(self) -> None:
        """Open the file, at the first call."""
        if self._path is None or self._file is not None:
            return
        mode = "a" if self._append else "w"
        try:
            # Closed by `close`.
            self._file = open(  # noqa: SIM115
                self._path, mode, encoding="utf-8", errors="backslashreplace"
            )
        except OSError as error:
            raise GapyError(
                f"log: {self._path} cannot be written, {error.strerror}; mend permissions or name "
                "another output"
            ) from error
        kept, self._kept = self._kept, []
        when = time.strftime("%Y-%m-%d %H:%M:%S")
        for text in (f"# gapy {gapy.__version__}, {when}: {' '.join(sys.argv[1:])}", *kept):
            self.line(text)

    def close(self) -> None:
        """Close the file, if it was begun."""
        if self._file is not None:
            self._file.close()


class Stream:
    """A text stream whose finished lines go into a log, beside another stream or none.

    A live line, which a carriage return begins again, counts as it is at last.
    """

    def __init__(self, log: Log, beside=None):
        self._log, self._beside, self._line = log, beside, ""

    def __getattr__(self, name: str):
        return getattr(self._beside, name)

    def isatty(self) -> bool:
        """Whether somebody looks at it."""
        return self._beside is not None and self._beside.isatty()

    def write(self, text: str) -> int:
        """Write, and log the lines that end."""
        if self._beside is not None:
            self._beside.write(text)
        *ended, self._line = (self._line + text).split("\n")
        for line in ended:
            self._log.line(_last(line))
        self._line = self._line.rpartition("\r")[2]
        return len(text)

    def flush(self) -> None:
        """Flush the stream beside."""
        if self._beside is not None:
            self._beside.flush()


def _last(line: str) -> str:
    return CONTROL.sub("", line.rpartition("\r")[2]).rstrip()


class Unwatched:
    """A stream at which nobody looks, so that no bars of progress are drawn."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Never."""
        return False


@contextmanager
def logged(log: Log, *, quiet: bool = False) -> Iterator[Log]:
    """Within it, standard output and warnings go into the log, too, and how it ended badly.

    quiet : standard output goes into the log only, and bars of progress nowhere
    """
    out, err, shown = sys.stdout, sys.stderr, warnings.showwarning

    def both(message, *where, **more) -> None:
        shown(message, *where, **more)
        log.line(f"warning: {' '.join(str(message).split())}")

    sys.stdout, warnings.showwarning = Stream(log, None if quiet else out), both
    if quiet:
        sys.stderr = Unwatched(err)
    try:
        yield log
    except BaseException as error:
        log.line(f"error: {' '.join(str(error).split()) or type(error).__name__}")
        raise
    finally:
        sys.stdout, sys.stderr, warnings.showwarning = out, err, shown
        log.close()
