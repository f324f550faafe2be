"""Archives of one JSON header and .npy arrays in a zip, checked by SHA-256; no pickle.

header.json     format, version, units, SHA-256 of every array, and the model
header.sha256   SHA-256 of header.json; since it covers those of the arrays, it names the model
arrays/*.npy

Time stamps are fixed and nothing is compressed, so equal contents give equal bytes. There are two
kinds: model files, `.gapy`, whose version 3 adds reference sigmas to version 2 and version 4 the
projections of descriptors (all are read), and states of a fit.

A file is read in at most twice its size and a constant: sizes are compared with it, and shapes and
types with the schema (`gapy.model.modelschema`), before an array is read.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gapy._support.files import checked_path, write_whole
from gapy._support.schema import Map, SchemaError, Text, refuse
from gapy._support.zip_arrays import TEXT_MOST, Members
from gapy.errors import GapyError, ModelFileError
from gapy.model import modelschema
from gapy.model.modelschema import Array

UNITS = {"energy": "eV", "length": "A", "stress": "eV/A^3", "delta": "eV"}
HEADER, HEADER_HASH = "header.json", "header.sha256"
ZIP_START = b"PK\x03\x04"


@dataclass(frozen=True)
class Kind:
    """A kind of archive.

    format, version : as the header has them; `oldest` is the first version that is read
    noun, writer : what it is and who writes it, for messages
    check, arrays_of : of `gapy.model.modelschema`
    """

    format: str
    noun: str
    writer: str
    version: int
    oldest: int
    check: Callable[[dict], None]
    arrays_of: Callable[[dict, int, dict[str, int]], Iterator[Array]]


POTENTIAL = Kind(
    "gapy potential",
    "gapy model",
    "Potential.save or gapy fit",
    4,
    2,
    modelschema.check_model,
    modelschema.arrays_of,
)
TRAINING = Kind(
    "gapy training state",
    "gapy training state",
    "save_training",
    1,
    1,
    modelschema.check_training,
    modelschema.training_arrays_of,
)


@dataclass(frozen=True, eq=False)
class Archive:
    """Contents of an archive: plain JSON, named arrays, and the hash that identifies both.

    Packed triangles are square matrices here.
    """

    model: dict
    arrays: dict[str, np.ndarray]
    sha256: str
    version: int


def write(path, model: dict, arrays: dict[str, np.ndarray], kind: Kind = POTENTIAL) -> Path:
    """Write an archive whole or not at all.

    Arguments
    ---------
    model : plain JSON types without nan
    arrays : real numbers or integers, by name

    Raises
    ------
    GapyError : the file cannot be written; an older one is left as it was; or `model` is not what
        `read` would accept
    """
    try:
        kind.check(model)
    except SchemaError as error:
        raise GapyError(f"{error}; a file cannot hold it, change it before saving") from error
    return write_whole(path, to_bytes(model, arrays, kind))


def to_bytes(model: dict, arrays: dict[str, np.ndarray], kind: Kind = POTENTIAL) -> bytes:
    """The file's contents; equal arguments give equal bytes."""
    encoded = _encoded(arrays)
    text = _header(model, encoded, kind)
    if len(text) > TEXT_MOST:
        raise GapyError(
            f"header: expected at most {TEXT_MOST} bytes, so that it can be read again, got "
            f"{len(text)}; use fewer config_types or less metadata"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, HEADER, text)
        _add(archive, HEADER_HASH, _digest(text).encode() + b"\n")
        for name, data in encoded.items():
            _add(archive, _member(name), data)
    return buffer.getvalue()


def digest(model: dict, arrays: dict[str, np.ndarray]) -> str:
    """The hash that names a model: `Archive.sha256` once it is written and read."""
    return _digest(_header(model, _encoded(arrays), POTENTIAL))


def read(path, kind: Kind = POTENTIAL) -> Archive:
    """Read an archive of a kind and check every byte that matters.

    Raises
    ------
    ModelFileError : missing, of another kind, truncated, altered, of another form than the schema
        says, or of a newer version
    """
    path = checked_path(path)
    try:
        with open(path, "rb") as file:
            _check_start(file, path, kind)
            return _read(Members(file), path, kind)
    except ModelFileError:
        raise
    except KeyError as error:
        raise ModelFileError(
            f"{path}: expected a complete {kind.noun}, got one without {error.args[0]}; "
            "copy or save it again"
        ) from error
    except SchemaError as error:
        raise ModelFileError(f"{path}: {error}; copy or save it again") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        # What a damaged zip raises depends on where the damage is.
        raise ModelFileError(
            f"{path}: expected a complete {kind.noun}, got a truncated or damaged file ({error}); "
            "copy or save it again"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(
            f"{path}: expected a {kind.noun} file, got: {reason}; correct the path or its "
            "permissions"
        ) from error


def _check_start(file, path: Path, kind: Kind) -> None:
    start = file.read(len(ZIP_START))
    if start != ZIP_START:
        found = "another kind of file" if start else "an empty file"
        raise ModelFileError(
            f"{path}: expected a {kind.noun} file, got {found}; name a file written by "
            f"{kind.writer}"
        )


def _read(members: Members, path: Path, kind: Kind) -> Archive:
    if HEADER not in members:
        raise ModelFileError(
            f"{path}: expected a {kind.noun} file, got a zip archive without {HEADER}; name a file "
            f"written by {kind.writer}"
        )
    text = members.text(HEADER)
    header = _checked_header(text, path, kind)
    digest = _digest(text)
    if members.text(HEADER_HASH).decode("ascii", "replace").strip() != digest:
        raise _altered(path, HEADER)
    for name in ("model", "arrays"):
        if name not in header:
            raise SchemaError(f"{HEADER}: expected the key {name!r}, got a mapping without it")
    model, digests, version = header["model"], header["arrays"], header["version"]
    kind.check(model)
    Map(Text(), Text()).check(digests, "arrays")
    extra = set(members) - {HEADER, HEADER_HASH, *map(_member, digests)}
    if extra:
        raise SchemaError(f"expected the arrays that the header names, got also {sorted(extra)[0]}")
    arrays = {}
    for spec, member in _checked_shapes(members, digests, model, version, kind):
        arrays[spec.name], found = member.read(_within(spec), spec.triangle, spec.size)
        if found != digests[spec.name]:
            raise _altered(path, _member(spec.name))
    return Archive(model, arrays, digest, version)


def _checked_header(text: bytes, path: Path, kind: Kind) -> dict:
    """The header, its format and version known; its hash comes after, for versions may differ."""
    try:
        header = json.loads(text)
        found, version = header["format"], header["version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _altered(path, HEADER) from error
    if found != kind.format:
        raise ModelFileError(
            f"{path}: format expected {kind.format!r}, got {str(found)[:40]!r}; name a file "
            f"written by {kind.writer}"
        )
    if type(version) is not int or not kind.oldest <= version <= kind.version:
        older = type(version) is int and version < kind.oldest
        raise ModelFileError(
            f"{path}: format version expected {kind.oldest} to {kind.version}, got "
            f"{version!r:.40}; "
            + ("fit again with this version of gapy" if older else "update gapy to read it")
        )
    return header


def _checked_shapes(members: Members, digests: dict, model: dict, version: int, kind: Kind) -> list:
    """(what it must be, the member) of every array; all shapes fit before the first is read."""
    sizes: dict[str, int] = {}
    out = []
    for spec in kind.arrays_of(model, version, sizes):
        if spec.may_lack and spec.name not in digests:
            continue
        if spec.name not in digests:
            raise KeyError(_member(spec.name))
        member = members.array(_member(spec.name))
        fits = member.dtype == spec.dtype and len(member.shape) == len(spec.shape)
        for n, wanted in zip(member.shape, spec.shape):
            wanted = sizes.setdefault(wanted, n) if isinstance(wanted, str) else wanted
            fits = fits and n == wanted and n >= 0
        if not fits:
            shape = tuple(sizes.get(n, n) if isinstance(n, str) else n for n in spec.shape)
            refuse(spec.name, f"{spec.dtype} of shape {shape}", f"{member.dtype} {member.shape}")
        out.append((spec, member))
    unknown = set(digests) - {spec.name for spec, _ in out}
    if unknown:
        raise SchemaError(f"expected no other arrays, got also {sorted(unknown)[0][:40]}")
    return out


def _within(spec: Array):
    """Refuses numbers that are not finite or outside the range."""

    def check(part: np.ndarray) -> None:
        good = (part >= spec.low) & (part <= spec.high) & np.isfinite(part)
        if spec.gaps:
            good |= np.isnan(part)
        if not good.all():
            refuse(spec.name, f"finite numbers, {spec.low} to {spec.high}", f"{part[~good][0]}")

    return check


def _altered(path: Path, member: str) -> ModelFileError:
    return ModelFileError(
        f"{path}: {member} expected as it was saved, got altered contents (SHA-256 differs); copy "
        "or save it again"
    )


def _member(name: str) -> str:
    return f"arrays/{name}.npy"


def _encoded(arrays: dict[str, np.ndarray]) -> dict[str, bytes]:
    return {name: _npy(array) for name, array in sorted(arrays.items())}


def _header(model: dict, encoded: dict[str, bytes], kind: Kind) -> bytes:
    header = {
        "format": kind.format,
        "version": kind.version,
        "units": UNITS,
        "arrays": {name: _digest(data) for name, data in encoded.items()},
        "model": model,
    }
    return json.dumps(header, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"


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
