"""The two ways in: `learn` with objects, `learn_from_config` with a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass

import numpy as np

from gapy._support.threads import blas_threads
from gapy.active import checkpoint as names
from gapy.active.display import Silent
from gapy.active.explorers.base import Explorer
from gapy.active.initial import Initial
from gapy.active.loop import Loop
from gapy.active.model import GPModel
from gapy.active.oracle import Oracle
from gapy.active.parts import Given, Parts, Schedule
from gapy.active.policy import Budget, Policy, Stop
from gapy.active.result import LearnResult
from gapy.active.store import Store
from gapy.active.walkers import Walker
from gapy.errors import GapyError
from gapy.md.settings import whole
from gapy.structures import from_atoms
from gapy.structures.charge import charge_of
from gapy.structures.spins import moments_of

PLAIN = (bool, int, float, str, tuple, list, dict, type(None))


def learn(
    directory,
    explorers: Explorer | Sequence[Explorer],
    oracle,
    policy: Policy | float,
    *,
    model=None,
    initial: Initial | None = None,
    training=(),
    test=(),
    test_every: int = 10,
    budget: Budget | None = None,
    stop: Stop | None = None,
    store: Store | str | None = None,
    seed: int = 0,
    threads: int = 1,
    checkpoint_steps: int = 200,
    resume: bool = False,
    display=None,
    on_frame=None,
) -> LearnResult:
    """Explore with a model, label what it does not know, update it, until it knows enough.

    Everything is in `directory`, after each step of the loop: killed at any moment, the same call
    with `resume=True` goes on and ends with the same labels and the same model.

    Arguments
    ---------
    directory : of this loop alone
    explorers : walkers, e.g. [MD(atoms, temperature=300, ps=10)]
    oracle : Oracle, or what its first argument may be
    policy : Policy, or max_force_std in eV/A
    model : what learns; default GPModel with the species of all structures
    initial : what is labelled before there is a model; default Initial()
    training : labelled structures to begin with, instead of `initial`
    test : labelled structures for the learning curve, evaluated every `test_every` labels
    budget, stop : default: no limit; until all explorers have finished
    store : Store, or URL of an ASE database; default labels.db in `directory`
    seed : of every random number
    threads : for the model; results do not depend on it
    checkpoint_steps : steps of a walker between two states on disk
    resume : go on with the loop in `directory`
    display : shows progress; see gapy.active.display
    on_frame : function (walker, Frame, verdict, model_version) that sees every step

    Raises
    ------
    GapyError : bad settings, a directory in use or taken, another loop's state
    OracleError : the oracle cannot be made or is gone; mend it and resume
    """
    explorers = [explorers] if isinstance(explorers, Explorer) else list(explorers)
    if not explorers:
        raise GapyError("explorers: expected at least one, got none; add an MD run, say")
    oracle = oracle if isinstance(oracle, Oracle) else Oracle(oracle)
    policy = policy if isinstance(policy, Policy) else Policy(max_force_std=policy)
    initial = initial or Initial()
    training = from_atoms(training) if len(training) else []
    test = from_atoms(test) if len(test) else []
    seed = whole("seed", seed, least=0)
    threads = whole("threads", threads, least=1)
    model = model or GPModel(_species(explorers, training), seed=seed)
    if hasattr(model, "threads"):
        model.threads = threads
    walkers = [Walker(name, e) for name, e in zip(_names(explorers), explorers)]
    begun = names.LearnDirectory(directory).was_begun()
    if resume and not begun:
        raise GapyError(
            f"directory {directory} holds no loop to resume; start it without resume, or correct "
            "the name"
        )
    if not resume:
        oracle.check()  # before anything is on disk
    with names.LearnDirectory(directory) as files, blas_threads(1):
        if not resume and files.present():
            raise GapyError(
                f"directory {files.path} already holds a loop ({', '.join(files.present())}); "
                "continue it with resume or choose another directory"
            )
        if not isinstance(store, Store):
            store = Store(store or files.path / names.DATABASE, run=files.path.resolve().name)
        parts = Parts(walkers, oracle, policy, model, store)
        given = Given(training, initial, test, seed)
        schedule = Schedule(
            budget or Budget(),
            stop or Stop(),
            whole("checkpoint_steps", checkpoint_steps, least=1),
            whole("test_every", test_every, least=1),
        )
        loop = Loop(files, parts, given, schedule, display=display or Silent(), on_frame=on_frame)
        identity = _identity(parts, given, schedule, threads)
        try:
            with loop.display:
                if resume and (files.path / names.STATE).exists():
                    loop.resume(files.load(), identity)
                else:  # also what was killed before its first state was on disk
                    loop.begin(identity)
                return loop.go()
        finally:
            oracle.close()
            for explorer in explorers:
                explorer.close()


def learn_from_config(path, *, resume: bool = False, display=None) -> LearnResult:
    """`learn` with the settings of a TOML file; see docs/active.md for its keys.

    Raises
    ------
    GapyError : a file that cannot be read, unknown keys (the nearest known ones are named), and
        what `learn` raises
    """
    from gapy.active.config import read_config

    return learn(**read_config(path).arguments(), resume=resume, display=display)


def _identity(parts: Parts, given: Given, schedule: Schedule, threads: int) -> dict:
    """What must be the same when a loop is resumed: all that its labels and model depend on."""
    starts = [(w.name, w.explorer.start) for w in parts.walkers]
    first = [] if given.training else given.initial.requests(starts, given.seed)
    values = {
        "explorers": [_described(w.explorer) for w in parts.walkers],
        "oracle": parts.oracle.settings,
        "policy": dict(vars(parts.policy)),
        "initial": dict(vars(given.initial)),
        "n_initial": len(first),
        "training": _digest(given.training),
        "model": parts.model.describe(),
        "seed": given.seed,
        "threads": threads,
        "checkpoint_steps": schedule.checkpoint_steps,
    }
    # As it will be read back: tuples become lists, keys text.
    return json.loads(json.dumps(values, default=str))


def _described(explorer: Explorer) -> dict:
    """An explorer's settings as plain data, its start structure as a hash."""
    start = explorer.start
    content = [start.numbers, start.positions, start.cell.array, start.pbc, start.get_momenta()]
    moments = moments_of(start)
    if moments is not None and moments.any():
        content.append(moments)
    if charge := charge_of(start):
        content.append(np.array(charge))
    values = {
        "kind": explorer.kind,
        "start": hashlib.sha256(b"".join(np.ascontiguousarray(c) for c in content)).hexdigest(),
    }
    for name, value in vars(explorer).items():
        if is_dataclass(value):
            values[name] = asdict(value)
        elif not name.startswith("_") and isinstance(value, PLAIN):
            values[name] = value
    return values


def _species(explorers, training) -> list[str]:
    found = {s for e in explorers for s in e.start.get_chemical_symbols()}
    found |= {symbol for s in training for symbol in s.atoms.get_chemical_symbols()}
    return sorted(found)


def _names(explorers) -> list[str]:
    """Kind and a number: md-1, md-2, swaps-1."""
    counts: dict[str, int] = {}
    out = []
    for e in explorers:
        counts[e.kind] = counts.get(e.kind, 0) + 1
        out.append(f"{e.kind}-{counts[e.kind]}")
    return out


def _digest(structures) -> str:
    """Hash of labelled structures, in their order."""
    out = hashlib.sha256()
    for s in structures:
        out.update(np.ascontiguousarray(s.fingerprint()).tobytes())
    return out.hexdigest()
