"""The labelling process: `python -m gapy.active.worker`, one calculation at a time.

A process of its own can be killed when it takes too long, takes no one with it when it crashes,
and leads a process group, so that programs it starts die with it. A thread waits for the end of
the input: it means that the loop is gone, and ends the whole group.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import queue
import re
import shutil
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

from gapy._support.objects import constructed
from gapy._support.voigt import is_crystal

MAX_OUTPUT = 50_000_000
"""Bytes; output files larger than this are not searched for signs of no convergence."""
NOT_FOUND = 127
"""What a shell returns for a command that is not there."""


class Unconverged(RuntimeError):
    """The calculation ended without self-consistency."""


def make_calculator(spec: dict):
    """A fresh calculator from its specification.

    spec: {"path": import path, "arguments": {...}} or {"pickled": bytes of a calculator, or of a
    function without arguments that makes one}.
    """
    if "pickled" in spec:
        made = pickle.loads(spec["pickled"])
        is_calculator = hasattr(made, "get_property") and not isinstance(made, type)
        return made if is_calculator else made()
    return constructed(spec["path"], spec["arguments"], "oracle")


def compute(spec: dict, calculator, atoms: Atoms, directory: Path) -> dict:
    """Energy, forces and stress (where there is one) of `atoms`, plain data.

    Raises
    ------
    Unconverged : the calculator or its output files say so
    Exception : whatever the calculator raises
    """
    atoms.calc = calculator
    try:
        # Forces first: file calculators compute what is asked for, and forces bring the energy.
        forces = atoms.get_forces(apply_constraint=False)
        stress = _stress(atoms) if spec.get("stress", True) else None
        energy = atoms.get_potential_energy()
    except Exception as error:
        _require_converged(spec, calculator, directory, error)
        raise
    _require_converged(spec, calculator, directory)
    free = getattr(calculator, "results", {}).get("free_energy")
    return {
        # The energy that forces are the derivative of, where the calculator knows both.
        "energy": float(energy if free is None else free),
        "forces": np.array(forces, dtype=float),
        "stress": stress,
    }


def _stress(atoms: Atoms):
    if not is_crystal(atoms):
        return None
    try:
        return np.array(atoms.get_stress(apply_constraint=False), dtype=float)
    except (PropertyNotImplementedError, NotImplementedError):
        return None


def _require_converged(spec, calculator, directory, error=None) -> None:
    flag = getattr(calculator, "converged", None)
    if isinstance(flag, bool | np.bool_) and not flag:
        raise Unconverged("the calculator says that it did not converge") from error
    patterns = [re.compile(p.encode()) for p in spec.get("unconverged", ())]
    for path in sorted(directory.rglob("*")) if patterns else ():
        if not path.is_file() or path.stat().st_size > MAX_OUTPUT:
            continue
        text = path.read_bytes()
        for pattern in patterns:
            found = pattern.search(text)
            if found:
                line = found.group().decode(errors="replace")
                raise Unconverged(f"{path.name} says {line!r}") from error


def describe(error: BaseException) -> tuple[str, str]:
    """(kind, reason) of an exception: "gone" if no other structure would fare better."""
    chain, e = [], error
    while e is not None and e not in chain:
        chain.append(e)
        e = e.__cause__ or e.__context__
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
    for e in chain:
        full = isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EDQUOT)
        program = isinstance(e, FileNotFoundError | PermissionError) and _from_subprocess(e)
        if full or program or getattr(e, "returncode", None) == NOT_FOUND:
            return "gone", reason
    if isinstance(error, Unconverged) or "onverge" in type(error).__name__:
        return "unconverged", reason
    return "error", reason


def _from_subprocess(error: BaseException) -> bool:
    """Whether Python's own starter of programs raised it: the program is not there."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == "subprocess"


def serve(incoming: Connection, outgoing: Connection) -> None:
    """Answer jobs until the other side is gone."""
    jobs: queue.SimpleQueue = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(incoming, jobs), daemon=True).start()
    spec = jobs.get()
    sys.path[:0] = [p for p in spec.get("paths", []) if p not in sys.path]
    try:
        make_calculator(spec)
        outgoing.send({"ready": True})
    except BaseException as error:
        outgoing.send({"ready": False, "reason": str(error) or repr(error)})
        return
    while True:
        outgoing.send(_answer(spec, *jobs.get()))


def _answer(spec, atoms: Atoms, directory: str) -> dict:
    """One calculation, in a directory of its own that stays only where it failed."""
    began = time.perf_counter()
    path = Path(directory)
    path.mkdir(parents=True, exist_ok=True)
    os.chdir(path)
    try:
        # A new calculator each time: a label must not depend on which ones came before it.
        results = compute(spec, make_calculator(spec), atoms, path)
    except Exception as error:
        kind, reason = describe(error)
        return {"kind": kind, "reason": reason, "seconds": time.perf_counter() - began}
    finally:
        os.chdir(path.parent)
        with contextlib.suppress(OSError):
            path.rmdir()  # nothing was written
    if not spec.get("keep_files", False):
        shutil.rmtree(path, ignore_errors=True)
    return {"results": results, "seconds": time.perf_counter() - began}


def _listen(incoming: Connection, jobs) -> None:
    try:
        while True:
            jobs.put(incoming.recv())
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Entry point: file descriptors of the two pipes are the arguments."""
    incoming = Connection(int(sys.argv[1]), writable=False)
    outgoing = Connection(int(sys.argv[2]), readable=False)
    serve(incoming, outgoing)


if __name__ == "__main__":
    main()
