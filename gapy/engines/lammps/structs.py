"""The arrays that the pair style hands over, as pair_gapy.h declares them."""

from __future__ import annotations

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_double,
    c_int,
    c_int32,
    c_int64,
    memmove,
)

import numpy as np

MESSAGE_LENGTH = 1024

Ints, SmallInts, Doubles = POINTER(c_int64), POINTER(c_int32), POINTER(c_double)
DTYPES = {Ints: np.int64, SmallInts: np.int32, Doubles: np.float64}


class Part(Structure):
    """Some centres with all their neighbours: atoms 0..n_centres-1 are the centres."""

    _fields_ = (
        ("model", c_int64),
        ("n_atoms", c_int64),
        ("n_centres", c_int64),
        ("n_pairs", c_int64),
        ("number", Ints),
        ("first", Ints),
        ("neighbour", SmallInts),
        ("vector", Doubles),
        ("energies", Doubles),
        ("forces", Doubles),
        ("base_forces", Doubles),
        ("indicators", Doubles),
        ("deviations", Doubles),
        ("sigma", Doubles),
        ("virial", c_double * 9),
        ("wants_indicators", c_int32),
        ("wants_deviations", c_int32),
    )


class Model(Structure):
    """What the pair style must know of a model."""

    _fields_ = (
        ("model", c_int64),
        ("has_baselines", c_int32),
        ("posterior_every", c_int32),
        ("leaves_out", c_int32),
        ("cutoff", c_double),
        ("charge_width", c_double),
    )


class Around(Structure):
    """What LAMMPS has beside the style."""

    _fields_ = (
        ("g_ewald", c_double),
        ("accuracy", c_double),
        ("dielectric", c_double),
        ("computes", c_int32),
        ("has_slab", c_int32),
        ("has_d3", c_int32),
        ("has_coulomb", c_int32),
        ("n_without", c_int32),
        ("is_scaled", c_int32),
        ("charge_low", Doubles),
        ("charge_high", Doubles),
        ("mean_charge", c_double),
    )


class Frame(Structure):
    """The frame at which a run stops, atoms of one rank."""

    _fields_ = (
        ("step", c_int64),
        ("n_owned", c_int64),
        ("tag", Ints),
        ("number", Ints),
        ("positions", Doubles),
        ("velocities", Doubles),
        ("sigma", Doubles),
        ("cell", c_double * 9),
        ("origin", c_double * 3),
        ("periodic", c_int32 * 3),
        ("world", c_int32),
        ("limit", c_double),
        ("path", c_char_p),
    )


Message = POINTER(c_char)

Text = c_char_p
OPEN = CFUNCTYPE(
    c_int, Text, Text, Text, Text, c_int, c_int, POINTER(Model), Ints, Message
)  # fmt: skip
BESIDE = CFUNCTYPE(c_int, c_int64, POINTER(Around), Message)
ON_PART = CFUNCTYPE(c_int, POINTER(Part), Message)
STOPPED = CFUNCTYPE(c_int, POINTER(Frame), Message)
CLOSE = CFUNCTYPE(None, c_int64)


class Callbacks(Structure):
    """Functions that the pair style calls; each returns 1, or 0 with the error in the message."""

    _fields_ = (
        ("open", OPEN),
        ("beside", BESIDE),
        ("evaluate", ON_PART),
        ("sigma", ON_PART),
        ("stopped", STOPPED),
        ("close", CLOSE),
    )


def view(pointer, *shape: int) -> np.ndarray:
    """The memory behind a pointer as an array; a null pointer is one without elements."""
    if 0 in shape:
        return np.empty(shape, dtype=DTYPES[type(pointer)])
    return np.ctypeslib.as_array(pointer, shape)


def write_message(message, text: str) -> None:
    """One line of at most MESSAGE_LENGTH bytes, the end included."""
    line = " ".join(text.split()).encode(errors="replace")[: MESSAGE_LENGTH - 1] + b"\0"
    memmove(message, line, len(line))
