"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from gapy.errors import GapyError


def write_whole(path, data: bytes) -> Path:
    """Write `data` to a temporary file beside `path`, force it to disk, and rename it.

    Whatever goes wrong, an older file under that name stays as it was. A device or pipe
    (/dev/stdout) is written to directly.

    Raises
    ------
    GapyError : the disk is full, the directory is missing or not writable, path is a directory
    """
    path = checked_path(path)
    try:
        if is_device(path):
            path.write_bytes(data)
        else:
            _replace(Path(os.path.realpath(path)), data)  # a link stays a link
    except OSError as error:
        raise _refused(path, error) from error
    return path


def require_writable(path) -> None:
    """Raise GapyError if `path` cannot be written; called before work that takes long."""
    target = Path(os.path.realpath(checked_path(path)))
    try:
        if target.is_dir():
            raise IsADirectoryError(None, "it is a directory")
        if is_device(Path(path)):
            return
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}."):
            pass
    except OSError as error:
        raise _refused(Path(path), error) from error


def require_directory(path) -> None:
    """Raise GapyError if `path` is no directory that can be written to or made; makes nothing."""
    path = checked_path(path)
    existing = Path(os.path.realpath(path))
    try:
        while not existing.exists():
            existing = existing.parent
        with tempfile.NamedTemporaryFile(dir=existing, prefix=".gapy."):
            pass
    except OSError as error:
        raise GapyError(
            f"{path}: expected a directory to write to, got: {error.strerror or error}; mend "
            "permissions or choose another place"
        ) from error


def checked_path(path) -> Path:
    """`path` as a Path; GapyError for what no file system can name."""
    if "\0" in str(path):
        raise GapyError(f"{str(path)!r}: expected the name of a file, got a NUL in it; correct it")
    return Path(path)


def is_device(path: Path) -> bool:
    """Whether a path is a device or pipe, which is written to directly."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _replace(target: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; the result follows the umask, or the file it replaces.
        os.chmod(temporary, target.stat().st_mode & 0o777 if target.exists() else _umask_mode())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _refused(path: Path, error: OSError) -> GapyError:
    return GapyError(
        f"{path}: expected to write the file, got: {error.strerror or error}; free space, mend "
        "permissions or choose another place"
    )
