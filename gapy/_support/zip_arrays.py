"""Members of an uncompressed zip of .npy arrays, read in little memory whatever the file states.

Nothing is believed before it is compared with the size of the file: the list of members is bounded,
a compressed member is refused, and shape and type of an array are read from its first bytes alone.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile

import numpy as np

from gapy._support.schema import SchemaError

CHUNK = 1 << 20
"""Bytes read at once."""
DIRECTORY_MOST = 8 << 20
"""Bytes of the zip's list of members: zipfile makes ten times as much of it."""
TEXT_MOST = 8 << 20
"""Bytes of the header: json makes about twenty times as much of it."""
NPY_HEADER_MOST = 10_000
END = struct.Struct("<4s4H2LH")
LOCATOR_SIZE = 20
"""Bytes before the end record that point to the lists of files above 2 GB."""


class Members:
    """The members of an open zip file, checked: stored as they are, none twice, all inside it.

    Raises SchemaError, or zipfile.BadZipFile for a damaged archive.
    """

    def __init__(self, file):
        size = file.seek(0, os.SEEK_END)
        _check_directory(file, size)
        self._zip = zipfile.ZipFile(file)
        self._infos = {}
        room = size
        for info in self._zip.infolist():
            if info.filename in self._infos:
                raise SchemaError(f"{info.filename}: expected once, got it twice")
            room -= info.file_size
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or room < 0:
                raise SchemaError(
                    f"{info.filename}: expected {info.file_size} bytes stored without compression, "
                    f"got them compressed or more than the file has"
                )
            self._infos[info.filename] = info

    def __contains__(self, name: str) -> bool:
        return name in self._infos

    def __iter__(self):
        return iter(self._infos)

    def text(self, name: str) -> bytes:
        """A short member whole; KeyError if it is missing."""
        info = self._infos[name]
        if info.file_size > TEXT_MOST:
            raise SchemaError(f"{name}: expected at most {TEXT_MOST} bytes, got {info.file_size}")
        return self._zip.read(info)

    def array(self, name: str) -> NpyMember:
        """A .npy member, its header read; KeyError if it is missing."""
        return NpyMember(self._zip, self._infos[name])


class NpyMember:
    """An array whose shape, type (`dtype`, numpy's text) and order are known before its numbers."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo):
        self._zip, self._info = archive, info
        with archive.open(info) as stream:
            self.shape, self._fortran, dtype = _npy_header(stream)
            self._start = stream.tell()
        self.dtype = dtype.str
        expected = self._start + int(np.prod(self.shape, dtype=object)) * dtype.itemsize
        if dtype.hasobject or expected != info.file_size:
            raise SchemaError(
                f"{info.filename}: expected {expected} bytes of {self.dtype} with shape "
                f"{self.shape}, got {info.file_size}"
            )

    def read(self, check, triangle: str | None = None, n: int = 0):
        """(array, SHA-256 of the member), the numbers given to `check` part by part.

        triangle: "lower" or "upper", of which the square matrix (n, n) is made; a lower one comes
        in Fortran order, as the factors of a fresh fit are: BLAS rounds by the order.
        """
        digest = hashlib.sha256()
        with self._zip.open(self._info) as stream:
            digest.update(_exactly(stream, self._start))

            def take(count: int) -> np.ndarray:
                data = _exactly(stream, 8 * count)
                digest.update(data)
                part = np.frombuffer(data, dtype=self.dtype)
                check(part)
                return part

            if triangle is None:
                out = self._plain(take)
            else:
                out = np.zeros((n, n), order="F" if triangle == "lower" else "C")
                for i in range(n):
                    own = slice(0, i + 1) if triangle == "lower" else slice(i, n)
                    out[i, own] = take(own.stop - own.start)
            stream.read(1)  # past the end: zipfile compares its own checksum
        return out, digest.hexdigest()

    def _plain(self, take) -> np.ndarray:
        out = np.empty(self.shape, dtype=self.dtype, order="F" if self._fortran else "C")
        flat = out.reshape(-1, order="F" if self._fortran else "C")
        for begin in range(0, len(flat), CHUNK // 8):
            own = flat[begin : begin + CHUNK // 8]
            own[:] = take(len(own))
        return out


def _check_directory(file, size: int) -> None:
    """Raise SchemaError if the list of members would take much memory."""
    file.seek(max(size - END.size - LOCATOR_SIZE, 0))
    tail = file.read()
    end, locator = tail[-END.size :], tail[: -END.size]
    if len(end) == END.size and end.startswith(b"PK\5\6"):
        if size > zipfile.ZIP64_LIMIT:
            return  # the list may be as long as it wants beside such a file
        if END.unpack(end)[5] <= DIRECTORY_MOST and not locator.startswith(b"PK\6\7"):
            return
    raise SchemaError("expected a complete archive, got a truncated or damaged file")


def _npy_header(stream):
    """(shape, Fortran order, dtype) of an .npy member whose numbers come next."""
    try:
        version = np.lib.format.read_magic(stream)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        return readers[version](stream, max_header_size=NPY_HEADER_MOST)
    except Exception as error:  # numpy hands the text to Python's parser
        raise SchemaError(
            f"expected the header of an array, got: {' '.join(repr(error).split())[:200]}"
        ) from error


def _exactly(stream, count: int) -> bytes:
    parts = []
    while count:
        part = stream.read(count)
        if not part:
            raise EOFError("the member ends too early")
        parts.append(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
