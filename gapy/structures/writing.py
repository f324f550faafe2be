"""Structures as the bytes of an extxyz file."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

from ase import Atoms
from ase.io import write


def as_extxyz(frames: Iterable[Atoms]) -> bytes:
    """Frames with what their calculators hold: energy, forces, stress and the like."""
    text = StringIO()
    # Under MPI ASE would wait for the other ranks, which may not come here.
    write(text, list(frames), format="extxyz", parallel=False)
    return text.getvalue().encode()
