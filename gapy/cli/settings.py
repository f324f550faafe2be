"""Settings of `gapy fit`: defaults, a TOML file over them, flags over that."""

from __future__ import annotations

import difflib
import math
import tomllib
from dataclasses import dataclass, field, fields, replace

from gapy.errors import GapyError
from gapy.files import checked_path
from gapy.ranges import RANGES, require_range

POSITIVE = (
    "r_cut",
    "sigma",
    "delta",
    "sigma_energy",
    "sigma_forces",
    "sigma_stress",
    "force_tolerance",
)
LEARNT = ("delta", "sigma_energy", "sigma_forces", "sigma_stress")
"""Prior scale and noise: learnt unless one of them, or a [noise.X], is given."""
OPTIONAL = ("r_cut", "sigma", "n_max", "l_max", "force_tolerance", *LEARNT)
LEAST = {"n_max": 1, "l_max": 0, "zeta": 1, "seed": 0, "threads": 1}
TEXT = (
    "output",
    "selection",
    "compression",
    "energy_key",
    "forces_key",
    "stress_key",
    "virial_key",
)


@dataclass(frozen=True)
class FitSettings:
    """All of `gapy fit`; the names are the flags and the keys of the TOML file.

    r_cut, sigma: A; delta: eV; sigma_energy: eV/atom; sigma_forces: eV/A; sigma_stress: eV/A^3.
    n_inducing: per species, one number or {symbol: number}. r_cut, n_max, l_max, sigma, compression
    and n_inducing are None until gapy.cli.automatic fills them. noise: {config_type: {"energy" |
    "forces" | "stress": sigma}}. delta and sigma_* are None where nobody gave them: the defaults of
    SparseGPRegressor hold. optimize: whether delta and noise are learnt, starting from those
    given; None means unless one is given, be it with the value of the default.

    Raises
    ------
    GapyError : a value of the wrong kind or range
    """

    train: tuple[str, ...] = ()
    output: str | None = None
    r_cut: float | None = None
    n_max: int | None = None
    l_max: int | None = None
    sigma: float | None = None
    compression: str | None = None
    zeta: int = 4
    n_inducing: int | dict | None = None
    selection: str = "cholesky"
    delta: float | None = None
    sigma_energy: float | None = None
    sigma_forces: float | None = None
    sigma_stress: float | None = None
    optimize: bool | None = None
    stress: bool = True
    force_tolerance: float | None = None
    noise: dict = field(default_factory=dict)
    e0: str | dict = "auto"
    energy_key: str | None = None
    forces_key: str | None = None
    stress_key: str | None = None
    virial_key: str | None = None
    seed: int = 0
    threads: int = 1

    def __post_init__(self):
        for name in POSITIVE:
            value = getattr(self, name)
            if name in OPTIONAL and value is None:
                continue
            if not (_is_number(value) and math.isfinite(value) and value > 0):
                raise GapyError(f"{_flag(name)}: expected a positive number, got {value!r}")
        for name, least in LEAST.items():
            if name in OPTIONAL and getattr(self, name) is None:
                continue
            if not (_is_whole(getattr(self, name)) and getattr(self, name) >= least):
                raise GapyError(
                    f"{_flag(name)}: expected a whole number of at least {least}, got "
                    f"{getattr(self, name)!r}"
                )
        for name in RANGES:
            value = getattr(self, name)
            if _is_number(value) and name != "n_inducing":
                require_range(name, value, _flag(name))
        for name in TEXT:
            if not isinstance(getattr(self, name), str | None):
                raise GapyError(f"{_flag(name)}: expected text, got {getattr(self, name)!r}")
        if not isinstance(self.optimize, bool | None):
            raise GapyError(f"{_flag('optimize')}: expected true or false, got {self.optimize!r}")
        if not isinstance(self.stress, bool):
            raise GapyError(f"{_flag('stress')}: expected true or false, got {self.stress!r}")
        for name in self.train:
            if not isinstance(name, str):
                raise GapyError(f"train: expected names of files, got {name!r}")
        if self.n_inducing is None:
            return
        counts = (
            self.n_inducing.values() if isinstance(self.n_inducing, dict) else [self.n_inducing]
        )
        if not counts or not all(_is_whole(n) and n >= 1 for n in counts):
            raise GapyError(
                f"{_flag('n_inducing')}: expected a whole number of at least 1, or one for each "
                f"species as in Al=500,As=300, got {self.n_inducing!r}"
            )
        for n in counts:
            require_range("n_inducing", n, _flag("n_inducing"))

    def learns_noise(self) -> bool:
        """Whether delta and noise are learnt: as asked, or unless one of them is given."""
        if self.optimize is not None:
            return self.optimize
        return not self.noise and all(getattr(self, name) is None for name in LEARNT)

    def updated(self, given: dict) -> FitSettings:
        """A copy with the values that are not None."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})


def read_settings(path) -> FitSettings:
    """Settings of a TOML file; keys as the flags, `-` or `_` alike, and [noise.CONFIG_TYPE] tables.

    Raises
    ------
    GapyError : no such file, not TOML, an unknown key (the nearest known ones are named), or a bad
        value
    """
    return settings_from(read_toml(path), path)


def read_toml(path) -> dict:
    """The table of a TOML file. Raises GapyError: no such file, or not TOML."""
    path = checked_path(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GapyError(f"{path}: expected a TOML file, got: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GapyError(f"{path}: expected TOML, got: {error}; correct the line") from error


def settings_from(table: dict, path) -> FitSettings:
    """Settings of a table; errors, those of `read_settings`, name `path`."""
    known = [f.name for f in fields(FitSettings)]
    values = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            raise GapyError(f"{path}: unknown key {key!r}; {_nearest(name, known)}")
        if name in values:
            raise GapyError(f"{path}: {key!r} is given twice; remove one")
        values[name] = value
    if "train" in values:
        train = values["train"]
        values["train"] = tuple(train) if isinstance(train, list) else (train,)
    try:
        return FitSettings(**values)
    except GapyError as error:
        raise GapyError(f"{path}: {error}") from error


def parse_n_inducing(text: str | None) -> int | dict | None:
    """A number, or {symbol: number} from "Al=500,As=300".

    Raises
    ------
    GapyError : anything else
    """
    if text is None:
        return None
    try:
        if "=" not in text:
            return int(text)
        pairs = [item.split("=") for item in text.split(",")]
        counts = [(symbol.strip(), int(count)) for symbol, count in pairs]
    except ValueError:
        raise GapyError(
            f"--n-inducing: expected a whole number, or one for each species as in Al=500,As=300, "
            f"got {text!r}"
        ) from None
    symbols = [symbol for symbol, _ in counts]
    for symbol in symbols:
        if symbols.count(symbol) > 1:
            raise GapyError(f"--n-inducing: {symbol} is given twice in {text!r}; remove one")
    return dict(counts)


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known are {', '.join(known)}"


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
