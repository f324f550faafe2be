"""The directory of a run: its lock, appended files that can be cut back, files written whole."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from pathlib import Path

from gapy._support.files import checked_path
from gapy.errors import GapyError

LOCK = ".lock"
LOG = "md.csv"
TRAJECTORY = "md.extxyz"
CHECKPOINT = "checkpoint.npz"
RESULT = "result.json"
FLAGGED = "flagged.extxyz"
LAST_GOOD = "last_good.extxyz"
PRINTED = "md.log"
# Removed in this order by overwrite: without its checkpoint nothing can be mistaken for a run that
# could be continued.
RUN_FILES = (CHECKPOINT, LOG, TRAJECTORY, RESULT, FLAGGED, LAST_GOOD, PRINTED)


class RunDirectory:
    """Owns the files of one run from `with` to its end; a second owner gets a GapyError.

    A directory that was made for a run that was then refused is removed again.
    """

    def __init__(self, path):
        self.path = checked_path(path)
        self._lock = None
        self._made = []
        self._appended = {}

    def __enter__(self):
        with self._disk():
            self._made = [p for p in (self.path, *self.path.parents) if not p.exists()]
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.path / LOCK, "ab")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock.close()
                raise GapyError(
                    f"directory {self.path} is in use by another run; wait for it or choose "
                    "another directory"
                ) from None
            if not self._lock_is_there():
                self._lock.close()
                raise GapyError(
                    f"directory {self.path} was removed by a run that was refused; try again"
                )
        return self

    def __exit__(self, kind, *exception):
        for file in self._appended.values():
            file.close()
        # The lock's file stays, or goes with its directory while it is held: who waits for it sees
        # that it is gone.
        if kind is not None and self._made and os.listdir(self.path) == [LOCK]:
            (self.path / LOCK).unlink()
            with suppress(OSError):  # others may have come in
                for path in self._made:
                    path.rmdir()
        self._lock.close()

    def _lock_is_there(self) -> bool:
        """Whether the locked file is still the one that others would lock."""
        path = self.path / LOCK
        return path.exists() and os.path.samestat(os.fstat(self._lock.fileno()), path.stat())

    def present(self) -> list[str]:
        """Names of the files of an earlier run that are here."""
        return [name for name in RUN_FILES if (self.path / name).exists()]

    def clear(self, names=RUN_FILES) -> None:
        """Remove the named files of an earlier run."""
        with self._disk():
            for name in names:
                (self.path / name).unlink(missing_ok=True)

    def open_at(self, sizes: dict[str, int]) -> None:
        """Open the files for appending, each first cut back to the given size in bytes."""
        with self._disk():
            for name, size in sizes.items():
                path = self.path / name
                found = path.stat().st_size if path.exists() else 0
                if found < size:
                    raise GapyError(
                        f"{path} has {found} bytes, but the checkpoint was made when it had "
                        f"{size}: it was altered or lost; start again with overwrite"
                    )
                # Unbuffered: a row is in the file as soon as it is written, and nothing is left to
                # fail on close.
                file = self._appended[name] = open(path, "ab", buffering=0)  # noqa: SIM115
                file.truncate(size)

    def append(self, name: str, data: bytes) -> None:
        """Add `data` to the end of a file opened by `open_at`."""
        with self._disk():
            left = memoryview(data)
            while left:
                left = left[self._appended[name].write(left) :]

    def sizes(self) -> dict[str, int]:
        """Force the appended files to disk and return their sizes in bytes."""
        with self._disk():
            for file in self._appended.values():
                os.fsync(file.fileno())
            return {name: os.fstat(file.fileno()).st_size for name, file in self._appended.items()}

    def replace(self, name: str, data: bytes) -> Path:
        """Write a file whole: to a temporary name, to disk, then renamed."""
        path = self.path / name
        temporary = path.with_name(name + ".tmp")
        with self._disk():
            try:
                with open(temporary, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
        return path

    def read(self, name: str) -> bytes:
        """Contents of a file."""
        with self._disk():
            return (self.path / name).read_bytes()

    @contextmanager
    def _disk(self):
        """Turn what the operating system refuses into one GapyError."""
        try:
            yield
        except OSError as error:
            raise GapyError(
                f"directory {self.path} cannot be used: {error.strerror or error}; free space, "
                "mend its permissions or choose another directory"
            ) from error
