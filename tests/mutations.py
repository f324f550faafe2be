"""Mutations of a model file: of its bytes, or of its contents with hashes made to fit again."""

import copy
import hashlib
import io
import json
import zipfile

import numpy as np

JUNK = (
    None, True, False, 0, 1, -1, 7, 10**30, -(10**400), 0.0, -0.5, 1e-300, 1e300, float("nan"),
    float("inf"), "", "x", "Cu", "1" * 300, [], {}, [[]], [None], [1.0, "a"], {"a": [{"b": []}]},
    [[[[[[[[[[1]]]]]]]]]],
)  # fmt: skip
"""Values that a header may hold anywhere; NaN and infinity are no JSON, but json reads them."""


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(contents: dict[str, bytes], compression=zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def npy(array) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


def rehashed(header: dict, arrays: dict[str, bytes], **options) -> bytes:
    """A file of this header and these .npy members whose hashes all fit."""
    header = {**header, "arrays": {k: hashlib.sha256(v).hexdigest() for k, v in arrays.items()}}
    text = json.dumps(header).encode()
    members = {f"arrays/{name}.npy": data for name, data in arrays.items()}
    digest = hashlib.sha256(text).hexdigest().encode()
    return zipped({"header.json": text, "header.sha256": digest, **members}, **options)


def parts(data: bytes) -> tuple[dict, dict[str, bytes]]:
    contents = unzipped(data)
    header = json.loads(contents["header.json"])
    return header, {name: contents[f"arrays/{name}.npy"] for name in header["arrays"]}


def of_bytes(data: bytes, rng) -> tuple[str, bytes]:
    """A flipped bit, a truncation, bytes cut out, doubled or overwritten."""
    kind = rng.choice(["flip", "truncate", "cut", "double", "zero"])
    at = int(rng.integers(len(data)))
    end = min(at + int(rng.integers(1, 200)), len(data))
    if kind == "flip":
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(8))
        return f"flip {at}", bytes(changed)
    out = {
        "truncate": data[:at],
        "cut": data[:at] + data[end:],
        "double": data[:end] + data[at:],
        "zero": data[:at] + bytes(end - at) + data[end:],
    }
    return f"{kind} {at}:{end}", out[kind]


def of_header(data: bytes, rng) -> tuple[str, bytes]:
    """One value of the header replaced, removed, moved a little, or another one added."""
    header, arrays = parts(data)
    header = copy.deepcopy(header)
    places = list(_places(header["model"], ("model",)))
    holder, key, path = places[rng.integers(len(places))]
    kind = rng.choice(["junk", "junk", "remove", "add", "scale"])
    old = holder[key]
    if kind == "scale" and isinstance(old, int | float) and not isinstance(old, bool):
        factor = rng.choice([1.0 + 1e-3, 2.0, 0.5, -1.0, 1e6])
        holder[key] = type(old)(old * factor)
    elif kind == "remove":
        del holder[key]
    elif kind == "add" and isinstance(holder, dict):
        holder["unknown"] = JUNK[rng.integers(len(JUNK))]
    else:
        holder[key] = JUNK[rng.integers(len(JUNK))]
    return f"{kind} {'.'.join(map(str, path))}: {old!r:.40}", rehashed(header, arrays)


def of_array(data: bytes, rng) -> tuple[str, bytes]:
    """One array with another shape, type or values, removed, renamed, or a strange one added."""
    header, arrays = parts(data)
    name = sorted(arrays)[rng.integers(len(arrays))]
    array = np.load(io.BytesIO(arrays[name]))
    kind = rng.choice([*VALUES, *VALUES, *FORMS, "remove", "extra", "raw"])
    if kind in VALUES:
        flat = array.ravel().copy()
        k = int(rng.integers(len(flat)))
        with np.errstate(all="ignore"):
            flat[k] = VALUES[kind](flat[k])
        arrays[name] = npy(flat.reshape(array.shape))
    elif kind in FORMS:
        arrays[name] = npy(FORMS[kind](array))
    elif kind == "remove":
        del arrays[name]
    elif kind == "extra":
        arrays["extra"] = npy(array)
    else:
        arrays[name] = arrays[name].replace(b"'descr'", b"'other'")
    return f"{kind} {name}", rehashed(header, arrays)


def _real(value):
    """For integers as well: another number of their own type."""

    def change(x):
        return value if isinstance(x, np.floating) else np.int64(abs(value) < 10 and value)

    return change


VALUES = {
    "nan": _real(np.nan),
    "infinity": _real(np.inf),
    "zero": lambda x: 0,
    "sign": lambda x: -x,
    "one more": lambda x: x + 1,
    "a little": lambda x: x * 1.001,
    "large": lambda x: x * 1e12 if isinstance(x, np.floating) else 10**18,
    "tiny": lambda x: x * 1e-12,
}
FORMS = {
    "float32": lambda a: a.astype(np.float32),
    "complex": lambda a: a.astype(complex),
    "text": lambda a: a.astype(str),
    "objects": lambda a: a.astype(object),
    "bytes swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "other type": lambda a: a.astype(np.int64 if a.dtype == np.float64 else np.float64),
    "scalar": lambda a: a.ravel()[0],
    "one axis more": lambda a: a[None],
    "flat": lambda a: a.ravel()[:, None],
    "shorter": lambda a: a[:-1],
    "longer": lambda a: np.concatenate([a, a[:1]]),
    "empty": lambda a: a[:0],
    "transposed": lambda a: a.T.copy() if a.ndim > 1 else a[::-1],
    "reversed": lambda a: a[::-1],
    "negative": lambda a: -a,
    "scaled": lambda a: (a * 1.0001).astype(a.dtype),
}


def _places(value, path):
    """(holder, key, path) of every value inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        yield value, key, (*path, key)
        if isinstance(item, dict | list):
            yield from _places(item, (*path, key))
