"""The .gapy archive: one JSON header and .npy arrays in a zip, checked by SHA-256; no pickle.

header.json     format, version, units, SHA-256 of every array, and the model
header.sha256   SHA-256 of header.json; since it covers those of the arrays, it names the model
arrays/*.npy

Time stamps are fixed and nothing is compressed, so equal contents give equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gapy.errors import ModelFileError
from gapy.files import checked_path, write_whole

FORMAT = "gapy potential"
VERSION = 2
UNITS = {"energy": "eV", "length": "A", "stress": "eV/A^3", "delta": "eV"}
HEADER, HEADER_HASH = "header.json", "header.sha256"
ZIP_START = b"PK\x03\x04"


@dataclass(frozen=True, eq=False)
class Archive:
    """Contents of a model file: plain JSON, named arrays, and the hash that identifies both."""

    model: dict
    arrays: dict[str, np.ndarray]
    sha256: str


def write(path, model: dict, arrays: dict[str, np.ndarray]) -> Path:
    """Write a model file whole or not at all.

    Arguments
    ---------
    model : plain JSON types without nan
    arrays : real numbers or integers, by name

    Raises
    ------
    GapyError : the file cannot be written; an older one is left as it was
    """
    return write_whole(path, to_bytes(model, arrays))


def to_bytes(model: dict, arrays: dict[str, np.ndarray]) -> bytes:
    """The file's contents; equal arguments give equal bytes."""
    encoded = {name: _npy(array) for name, array in sorted(arrays.items())}
    header = {
        "format": FORMAT,
        "version": VERSION,
        "units": UNITS,
        "arrays": {name: _digest(data) for name, data in encoded.items()},
        "model": model,
    }
    text = json.dumps(header, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, HEADER, text)
        _add(archive, HEADER_HASH, _digest(text).encode() + b"\n")
        for name, data in encoded.items():
            _add(archive, _member(name), data)
    return buffer.getvalue()


def read(path) -> Archive:
    """Read a model file and check every byte that matters.

    Raises
    ------
    ModelFileError : missing, not a gapy model, truncated, altered, or of a newer version
    """
    path = checked_path(path)
    data = _contents(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            text = _header_text(archive, path)
            header = _checked_header(text, path)
            digest = _digest(text)
            if archive.read(HEADER_HASH).decode("ascii", "replace").strip() != digest:
                raise _altered(path, HEADER)
            return Archive(header["model"], _arrays(archive, header["arrays"], path), digest)
    except KeyError as error:
        raise ModelFileError(
            f"{path}: expected a complete gapy model, got one without {error.args[0]}; "
            "copy or save it again"
        ) from error
    # What a damaged zip raises depends on where the damage is.
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise ModelFileError(
            f"{path}: expected a complete gapy model, got a truncated or damaged file ({error}); "
            "copy or save it again"
        ) from error


def _contents(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"{path}: expected a gapy model file, got: {error.strerror or error}; correct the path "
            "or its permissions"
        ) from error
    if not data.startswith(ZIP_START):
        found = "an empty file" if not data else "another kind of file"
        raise ModelFileError(
            f"{path}: expected a gapy model file, got {found}; name a file written by "
            "Potential.save or gapy fit"
        )
    return data


def _header_text(archive: zipfile.ZipFile, path: Path) -> bytes:
    if HEADER not in archive.namelist():
        raise ModelFileError(
            f"{path}: expected a gapy model file, got a zip archive without {HEADER}; name a file "
            "written by Potential.save or gapy fit"
        )
    return archive.read(HEADER)


def _checked_header(text: bytes, path: Path) -> dict:
    """The header, its format and version known; its hash comes after, for versions may differ."""
    try:
        header = json.loads(text)
        found, version = header["format"], header["version"]
    except (ValueError, TypeError, KeyError) as error:
        raise _altered(path, HEADER) from error
    if found != FORMAT:
        raise ModelFileError(
            f"{path}: format expected {FORMAT!r}, got {found!r}; name a file written by "
            "Potential.save or gapy fit"
        )
    if version != VERSION:
        older = isinstance(version, int) and version < VERSION
        raise ModelFileError(
            f"{path}: format version expected {VERSION}, got {version!r}; "
            + ("fit again with this version of gapy" if older else "update gapy to read it")
        )
    return header


def _arrays(archive, digests: dict[str, str], path: Path) -> dict[str, np.ndarray]:
    expected = sorted([HEADER, HEADER_HASH, *map(_member, digests)])
    extra = set(archive.namelist()) - set(expected)
    if extra or len(archive.namelist()) > len(expected):
        raise ModelFileError(
            f"{path}: expected the arrays that the header names, got also "
            f"{sorted(extra) or 'one of them twice'}; copy or save the model again"
        )
    arrays = {}
    for name, digest in digests.items():
        data = archive.read(_member(name))
        if _digest(data) != digest:
            raise _altered(path, _member(name))
        try:
            arrays[name] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        except ValueError as error:
            raise ModelFileError(
                f"{path}: {_member(name)} expected an array of numbers, got: {error}; name a file "
                "written by Potential.save or gapy fit"
            ) from error
    return arrays


def _altered(path: Path, member: str) -> ModelFileError:
    return ModelFileError(
        f"{path}: {member} expected as it was saved, got altered contents (SHA-256 differs); copy "
        "or save the model again"
    )


def _member(name: str) -> str:
    return f"arrays/{name}.npy"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)
