"""The file of a loop: TOML to frozen settings, with every unknown key refused."""

from __future__ import annotations

import difflib
import inspect
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from gapy._support.files import checked_path
from gapy._support.objects import CLASS, anchored, constructed, imported
from gapy._support.sizes import repeated
from gapy.active.explorers import KINDS
from gapy.active.initial import Initial
from gapy.active.model import GPModel
from gapy.active.oracle import Oracle
from gapy.active.outputs import require_loop_outputs
from gapy.active.policy import Budget, Policy, Stop
from gapy.errors import GapyError
from gapy.md.settings import whole
from gapy.structures import read_atoms, read_structures

TOP = ("directory", "seed", "threads", "checkpoint_steps", "store")
SECTIONS = ("model", "oracle", "policy", "initial", "budget", "stop", "test", "explore")


@dataclass(frozen=True)
class LoopConfig:
    """A loop as its file states it, everything made and checked.

    explorers, oracle, policy, initial, budget, stop, model: objects of gapy.active.
    training, test: labelled structures. base: directory of the file, from which paths count.
    """

    directory: Path
    explorers: tuple
    oracle: Oracle
    policy: Policy
    initial: Initial
    budget: Budget
    stop: Stop
    model: object
    training: tuple
    test: tuple
    test_every: int
    store: str | None
    seed: int
    threads: int
    checkpoint_steps: int
    base: Path = field(default_factory=Path)

    def arguments(self) -> dict:
        """Keyword arguments of `learn`."""
        names = [f.name for f in fields(self) if f.name != "base"]
        return {name: getattr(self, name) for name in names}


def read_config(path) -> LoopConfig:
    """The loop of a TOML file.

    Raises
    ------
    GapyError : no such file, not TOML, an unknown key (the nearest known ones are named), a
        missing one, or a value that is refused
    """
    path = checked_path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GapyError(f"{path}: expected a TOML file, got: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GapyError(f"{path}: expected TOML, got: {error}; correct the line") from error
    try:
        table = _spelled(table)
        loop = _loop(table, path.parent)
        require_loop_outputs(table, path, loop.directory, loop.store)
        return loop
    except GapyError as error:
        raise GapyError(f"{path}: {error}") from error


def _loop(table: dict, base: Path) -> LoopConfig:
    require_known(table, (*TOP, *SECTIONS), "")
    for name in ("oracle", "policy", "explore"):
        if name not in table:
            shown = "[[explore]]" if name == "explore" else f"[{name}]"
            raise GapyError(f"expected a table {shown}, found none; add it")
    for name in SECTIONS:
        kind = list if name == "explore" else dict
        if not isinstance(table.get(name, kind()), kind):
            shown = "[[explore]]" if name == "explore" else f"[{name}]"
            raise GapyError(f"{name}: expected {shown}, got {table[name]!r:.60}; correct it")
    seed = whole("seed", table.get("seed", 0), least=0)
    threads = whole("threads", table.get("threads", 1), least=1)
    explorers = tuple(
        e for k, section in enumerate(table["explore"], 1) for e in _explorers(section, k, base)
    )
    initial = dict(table.get("initial", {}))
    training = _labelled(initial.pop("file", None), base)
    test = dict(table.get("test", {}))
    require_known(test, ("file", "every"), "[test] ")
    store = table.get("store")
    if store is not None and "://" not in str(store):
        store = str(base / store)
    return LoopConfig(
        directory=base / str(table.get("directory", "learn")),
        explorers=explorers,
        oracle=_oracle(dict(table["oracle"]), base),
        policy=_made(Policy, table["policy"], "policy"),
        initial=_made(Initial, initial, "initial", extra=("file",)),
        budget=_made(Budget, table.get("budget", {}), "budget"),
        stop=_made(Stop, table.get("stop", {}), "stop"),
        model=_model(dict(table.get("model", {})), explorers, training, seed),
        training=training,
        test=_labelled(test.get("file"), base),
        test_every=whole("[test] every", test.get("every", 10), least=1),
        store=store,
        seed=seed,
        threads=threads,
        checkpoint_steps=whole("checkpoint_steps", table.get("checkpoint_steps", 200), least=1),
        base=base,
    )


def _oracle(section: dict, base: Path) -> Oracle:
    known = [n for n in inspect.signature(Oracle).parameters if n != "executor"]
    require_known(section, known, "[oracle] ")
    if not isinstance(section.get("calculator"), str):
        raise GapyError(
            "[oracle] calculator: expected an import path such as ase.calculators.emt.EMT, got "
            f"{section.get('calculator')!r}"
        )
    for name in ("arguments", "environment"):
        if not isinstance(section.get(name, {}), dict):
            raise GapyError(f"[oracle] {name}: expected a table, got {section[name]!r:.60}")
    section["arguments"] = anchored(section.get("arguments", {}), base)
    return _call(Oracle, section, "oracle")


def _model(section: dict, explorers, training, seed: int):
    if CLASS in section:
        path = section.pop(CLASS)
        return constructed(path, section, "[model]")
    known = [f.name for f in fields(GPModel) if f.init and f.name not in ("seed", "threads")]
    require_known(section, known, "[model] ")
    if "species" not in section:
        found = {s for e in explorers for s in e.start.get_chemical_symbols()}
        found |= {symbol for s in training for symbol in s.atoms.get_chemical_symbols()}
        section["species"] = sorted(found)
    return _call(GPModel, {**section, "seed": seed}, "model")


def _explorers(section, number: int, base: Path):
    """The explorers of one [[explore]]: `walkers` for each start structure."""
    where = f"[[explore]] {number} "
    if not isinstance(section, dict):
        raise GapyError(f"{where}: expected a table, got {section!r:.60}")
    section = dict(section)
    kind = section.pop("kind", "md")
    if isinstance(kind, str) and kind in KINDS:
        make = imported(KINDS[kind], where)
    elif isinstance(kind, str) and "." in kind:
        make = imported(kind, f"{where}kind")
    else:
        raise GapyError(f"{where}kind: {nearest(str(kind), list(KINDS))}, got {kind!r}")
    starts = section.pop("start", None)
    if starts is None:
        raise GapyError(f"{where}start: expected a file of structures or a table with class")
    walkers = whole(f"{where}walkers", section.pop("walkers", 1), least=1)
    supercell = section.pop("supercell", None)
    parameters = list(inspect.signature(make).parameters.values())[1:]
    if all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters):
        known = [p.name for p in parameters]
        require_known(section, known, where, shown=["kind", "start", "walkers", "supercell"])
    for atoms in _starts(starts, base, where):
        if supercell is not None:
            atoms = repeated(atoms, _repeats(supercell, where), f"{where}supercell")
        for _ in range(walkers):
            yield _call(make, {"start": atoms, **section}, where.strip())


def _starts(stated, base: Path, where: str):
    for item in stated if isinstance(stated, list) else [stated]:
        if isinstance(item, dict):
            if CLASS not in item:
                raise GapyError(f"{where}start: expected a table with class, got {item!r:.60}")
            arguments = {k: v for k, v in item.items() if k != CLASS}
            yield constructed(item[CLASS], anchored(arguments, base), f"{where}start")
        elif isinstance(item, str):
            yield from read_atoms(base / item)
        else:
            raise GapyError(f"{where}start: expected a file or a table, got {item!r:.60}")


def _repeats(supercell, where: str) -> tuple[int, int, int]:
    numbers = supercell if isinstance(supercell, list) else [supercell] * 3
    if len(numbers) != 3:
        raise GapyError(f"{where}supercell: expected one number or three, got {supercell!r}")
    return tuple(whole(f"{where}supercell", n, least=1) for n in numbers)


def _labelled(name, base: Path) -> tuple:
    if name is None:
        return ()
    files = name if isinstance(name, list) else [name]
    return tuple(read_structures([base / str(f) for f in files]))


def _made(kind, section: dict, name: str, extra=()):
    require_known(section, [f.name for f in fields(kind)], f"[{name}] ", shown=extra)
    return _call(kind, section, name)


def _call(make, section: dict, name: str):
    """make(**section), its complaints with the name of the section in front."""
    try:
        return make(**section)
    except GapyError as error:
        raise GapyError(f"[{name}] {error}" if "[" not in name else f"{name}: {error}") from error
    except TypeError as error:
        raise GapyError(f"[{name}]: {error}; correct the table") from error


def require_known(section: dict, known, where: str, shown=()) -> None:
    """GapyError for the first key that is not among `known`, with the nearest ones."""
    for key in section:
        if key not in known:
            names = [*shown, *known]
            raise GapyError(f"{where}unknown key {key!r}; {nearest(key, names)}")


def nearest(name: str, known: list[str]) -> str:
    """Words on what may have been meant."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}"


def _spelled(table: dict) -> dict:
    """Keys with - as with _, but for the arguments that go to others' code."""
    out = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name in out:
            raise GapyError(f"{key!r} is given twice; remove one")
        plain = isinstance(value, dict) and CLASS not in value and name not in OTHERS
        out[name] = _spelled(value) if plain else value
        if name == "explore" and isinstance(value, list):
            out[name] = [_spelled(v) if isinstance(v, dict) else v for v in value]
    return out


OTHERS = ("arguments", "environment", "n_inducing", "e0", "start")
"""Tables whose keys are not ours."""
