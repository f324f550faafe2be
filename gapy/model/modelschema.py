"""What the header and the arrays of a model file must be: keys, types, ranges and shapes.

A reader compares the header with MODEL (TRAINING for the state of a fit), and the shape, type and
size that every array states with `arrays_of`, before it reads a number of it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from math import inf

from ase.data import chemical_symbols

from gapy._support.schema import (
    AnyOf,
    Flag,
    List,
    Map,
    Number,
    Optional,
    Plain,
    Record,
    SchemaError,
    Text,
)

SYMBOLS = tuple(chemical_symbols[1:])
KINDS = ("energy", "forces", "stress")
BASELINES = ("free_atoms", "zbl", "coulomb", "qeq", "dispersion", "calculator")
INDICATORS = ("first", "distances", "variances")

REAL, POSITIVE, NOT_NEGATIVE = Number(), Number(0.0, above=True), Number(0.0)
COUNT, FROM_ONE = Number(0, whole=True), Number(1, whole=True)
SYMBOL, NAME = Text(choices=SYMBOLS), Text()
HASH = Text(longest=64)

SOAP = Record(
    {
        "r_cut": Optional(Number(0.0, 1e3, above=True)),
        "n_max": Number(1, 100, whole=True),
        "l_max": Number(0, 20, whole=True),
        "sigma": Number(0.0, 1e3, above=True),
        "rbf": Text(choices=("gto", "polynomial")),
        "weighting": Optional(Map(NAME, AnyOf((NAME, REAL)))),
        "average": Text(choices=("off",)),
        "compression": Map(NAME, Plain()),
        "species": List(AnyOf((SYMBOL, Number(1, len(SYMBOLS), whole=True))), 1, len(SYMBOLS)),
        "periodic": Flag(),
    }
)
MAGNETIC_SOAP = Record({**SOAP.required, "magnetic": List(SYMBOL, 1, len(SYMBOLS))})
PAIR = Record(
    {
        "species": List(SYMBOL, 1, len(SYMBOLS)),
        "r_cut": Number(0.0, 1e3, above=True),
        "length": Number(0.0, 1e3, above=True),
        "transition": Number(0.0, 1e3, above=True),
        "distances": List(List(POSITIVE, 2, 10_000), 1),
    }
)
TERM = Record(
    {
        "descriptor": Record(
            {
                "kind": Text(choices=("SOAP", "magnetic SOAP", "ACSF", "LMBTR", "pair")),
                "settings": Map(NAME, Plain()),
            }
        ),
        "zeta": Number(1, 1000, whole=True),
        "delta": List(POSITIVE, 1),
    },
    optional={"serves": List(SYMBOL, 1), "n_components": FROM_ONE, "n_channels": FROM_ONE},
)
CALIBRATION_EXTRA = {
    "largest": NOT_NEGATIVE,
    "exponent": Number(1, 1000, whole=True),
    "coarse": List(NOT_NEGATIVE, 2, 2),
    "energy": List(POSITIVE, 2, 2),
}


def _calibration(follows, also=()) -> Record:
    keys = {"curve": List(List(POSITIVE, 2, 2), 1, 1000), "beyond": NOT_NEGATIVE}
    names = List(Text(choices=follows), 1, len(follows))
    return Record({**keys, "follows": names}, optional={**CALIBRATION_EXTRA, **dict(also)})


OF_POSTERIOR = {"posterior": _calibration((*INDICATORS, "spread")), "gain": NOT_NEGATIVE}
CALIBRATION = _calibration(INDICATORS, OF_POSTERIOR)
NOISE = Record(
    {
        **dict.fromkeys(KINDS, POSITIVE),
        "overrides": Map(NAME, Map(Text(choices=KINDS), POSITIVE)),
    },
    optional={"own": Map(NAME, Map(Text(choices=KINDS), POSITIVE))},
)
REACH = List(Optional(List(Optional(List(POSITIVE, 2, 2)))))
BASELINE = Record({"kind": Text(choices=BASELINES), "settings": Map(NAME, Plain())})
REDUCTION = Record(
    {
        "ranks": List(FROM_ONE, 1),
        "largest_force_error": NOT_NEGATIVE,
        "largest_energy_error": NOT_NEGATIVE,
        "n_structures": FROM_ONE,
    }
)
METADATA = Record(
    optional={
        "reduction": REDUCTION,
        "n_labels": Map(NAME, Map(Text(choices=KINDS), COUNT)),
        "left_out_spread": Map(Text(choices=KINDS), NOT_NEGATIVE),
    },
    rest=Plain(),
)
GROUP = Record(
    {
        "kind": Text(choices=KINDS),
        "config_type": NAME,
        "n_rows": COUNT,
        "log_weight": REAL,
        "triangle": Flag(),
    },
    optional={"own": Flag()},
)
DRAWN = Record({"config_type": NAME, "source": NAME})
EARLIER = List(AnyOf((FROM_ONE, HASH)), 2, 2)
STATE = Record(
    {
        # The constructor of the regressor and its own checks know the rest.
        "settings": Map(NAME, Plain()),
        "several_terms": Flag(),
        "e0": Map(SYMBOL, REAL),
        "n_structures": FROM_ONE,
        "n_updates": COUNT,
        "fit_seconds": NOT_NEGATIVE,
        "digest": HASH,
        "approximate": Flag(),
        "groups": List(GROUP, 1),
        "drawn": List(DRAWN, 1),
    },
    # The first is of version 2; the others are of version 3.
    optional={
        "n_kept": FROM_ONE,
        "kinds": List(Text(choices=KINDS), 1),
        "seed": COUNT,
        "whitened": Flag(),
        "asked": List(Map(NAME, Plain()), 1),
        "earlier": EARLIER,
    },
)
MODEL = Record(
    {
        "species": List(SYMBOL, 1),
        "cutoff": Optional(POSITIVE),
        "terms": List(TERM, 1),
        "e0": Map(SYMBOL, REAL),
        "noise": NOISE,
        "calibration": CALIBRATION,
        "bases": COUNT,
        "log_marginal_likelihood": REAL,
        "metadata": METADATA,
        "reference_energies": List(REAL),
    },
    optional={
        "baselines": List(BASELINE),
        "reach": REACH,
        "state": STATE,
    },
)
TRAINING = Record(
    {
        "terms": List(TERM, 1),
        "e0": Map(SYMBOL, REAL),
        "noise": NOISE,
        "baselines": List(BASELINE),
        "reach": REACH,
        "state": Record(
            {
                "n_structures": COUNT,
                "n_updates": COUNT,
                "digest": HASH,
                "approximate": Flag(),
                "kinds": List(Text(choices=KINDS), 1),
                "seed": Number(whole=True),
                "whitened": Flag(),
                "groups": List(GROUP),
                "drawn": List(DRAWN),
            },
            optional={"earlier": EARLIER},
        ),
    }
)

FLOAT, INTEGER = "<f8", "<i8"


@dataclass(frozen=True)
class Array:
    """What an array must be.

    shape: sizes, or names of sizes that the first array with them fixes for the others.
    triangle: "lower" or "upper" for n (n + 1) / 2 numbers, of which the reader makes the square
    matrix (row by row of the triangle); `size` is then n. gaps: nan may stand for a missing value.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str = FLOAT
    low: float = -inf
    high: float = inf
    triangle: str | None = None
    size: int = 0
    gaps: bool = False
    may_lack: bool = False


def check_model(model) -> None:
    """Raise SchemaError unless `model` is what `serialise.pack` and `save_state` make."""
    MODEL.check(model, "model")
    _check_descriptors(model)


def check_training(model) -> None:
    """Raise SchemaError unless `model` is what `save_training` makes."""
    TRAINING.check(model, "model")
    _check_descriptors(model)


def _check_descriptors(model) -> None:
    for t, term in enumerate(model["terms"]):
        descriptor = term["descriptor"]
        if descriptor["kind"] == "SOAP":
            SOAP.check(descriptor["settings"], f"model.terms[{t}].descriptor.settings")
        if descriptor["kind"] == "magnetic SOAP":
            MAGNETIC_SOAP.check(descriptor["settings"], f"model.terms[{t}].descriptor.settings")
        if descriptor["kind"] == "pair":
            _check_pair(term, f"model.terms[{t}]")


def _check_pair(term: dict, where: str) -> None:
    """Distances of each pair of species, ascending up to the cutoff, and as many deltas."""
    settings = term["descriptor"]["settings"]
    PAIR.check(settings, f"{where}.descriptor.settings")
    n, distances = len(settings["species"]), settings["distances"]
    if not (
        len(distances) == len(term["delta"]) == n * (n + 1) // 2
        and len(set(settings["species"])) == n
        and len({len(row) for row in distances}) == 1
        and all(a < b for row in distances for a, b in zip(row, [*row[1:], settings["r_cut"]]))
        and term["zeta"] == 1
    ):
        raise SchemaError(
            f"{where}: expected zeta 1, and for each pair of species one delta and as many "
            "distances that rise up to r_cut; got others"
        )


def arrays_of(model: dict, version: int, sizes: dict[str, int]) -> Iterator[Array]:
    """All arrays of a checked model; `sizes` holds the sizes of those before, by their name."""
    columns = yield from _points(model, sizes)
    m = sum(n for _, n in columns)
    yield _triangle("r_factor", m, "upper")
    yield Array("w", (m,))
    yield Array("alpha", (m,))
    if model["bases"] not in (0, len(columns)):
        raise SchemaError(f"model.bases: expected 0 or {len(columns)}, got {model['bases']}")
    for b, (t, _) in enumerate(columns[: model["bases"]]):
        yield Array(f"block{b}.basis", (f"features of term {t}", f"rank {b}"), may_lack=True)
    yield from _reach(model, version)
    yield from _references(model, version)
    if "state" in model:
        yield from _state(model["state"], m, version >= 3)


def training_arrays_of(model: dict, version: int, sizes: dict[str, int]) -> Iterator[Array]:
    """All arrays of a checked training state, as `arrays_of` gives those of a model."""
    columns = yield from _points(model, sizes)
    yield from _reach(model, version)
    yield from _state(model["state"], sum(n for _, n in columns), True)


def _points(model: dict, sizes: dict[str, int]) -> Generator[Array, None, list[tuple[int, int]]]:
    """Inducing points and factors of K_MM; returns the term and the number of each block."""
    columns = []
    for t, term in enumerate(model["terms"]):
        yield from _maps(t, term, sizes)
        for s in range(len(term["delta"])):
            size = f"points of term {t}, species {s}"
            yield Array(f"term{t}.inducing{s}", (size, f"features of term {t}"))
            if sizes[size]:
                columns.append((t, sizes[size]))
    if not columns:
        raise SchemaError("inducing points: expected at least one, got none")
    for b, (_, n) in enumerate(columns):
        yield _triangle(f"block{b}.cholesky", n, "lower")
    return columns


def _maps(t: int, term: dict, sizes: dict[str, int]) -> Iterator[Array]:
    """Of a projected descriptor, of mixed densities: one for each species."""
    features = f"features of term {t}"
    slots = range(len(term["delta"]))
    if "n_components" in term:
        sizes[features] = term["n_components"]
        for s in slots:
            yield Array(f"term{t}.projection{s}", (f"{features} before the projection", features))
    if "n_channels" in term:
        sizes[f"channels of term {t}"] = term["n_channels"]
        shape = tuple(f"{of} of term {t}" for of in ("degrees", "functions", "channels"))
        for s in slots:
            yield Array(f"term{t}.mixing{s}", shape)


def _triangle(name: str, n: int, kind: str) -> Array:
    return Array(name, (n * (n + 1) // 2,), triangle=kind, size=n)


def _reach(model: dict, version: int) -> Iterator[Array]:
    reach = model.get("reach", [])
    if len(reach) not in (0, len(model["terms"])):
        raise SchemaError(f"model.reach: expected one for each term, got {len(reach)}")
    for t, slots in enumerate(reach):
        if slots is None:
            continue
        n = len(model["terms"][t]["delta"])
        if len(slots) != n:
            raise SchemaError(f"model.reach[{t}]: expected {n} species, got {len(slots)}")
        yield Array(f"reach{t}.least", (n, n), low=0.0)
        yield Array(f"reach{t}.nearest", (n,), low=0.0, may_lack=True)
        for s in (s for s, numbers in enumerate(slots) if numbers is not None):
            features = f"features of term {t}"
            yield Array(f"reach{t}.mean{s}", (features,))
            yield Array(f"reach{t}.directions{s}", (features, f"directions {t}, {s}"))


def _references(model: dict, version: int) -> Iterator[Array]:
    for k in range(len(model["reference_energies"])):
        n, start = f"atoms of reference {k}", f"reference{k}."
        yield Array(start + "numbers", (n,), INTEGER, 1, len(SYMBOLS))
        yield Array(start + "positions", (n, 3))
        yield Array(start + "cell", (3, 3))
        yield Array(start + "pbc", (3,), INTEGER, 0, 1)
        yield Array(start + "charge", (1,), may_lack=True)
        yield Array(start + "signs", (n,), INTEGER, -1, 1, may_lack=True)
        if version >= 3:
            yield Array(start + "energies_std", (f"probed atoms of {k}",), low=0.0)
            yield Array(start + "forces_std", (f"probed atoms of {k}",), low=0.0)
    if version >= 3:
        if any(slots is not None for slots in model.get("reach", [])):
            yield Array("probe.contacts", ("species of all terms",) * 2, low=0.0)
            yield Array("probe.nearest", ("species of all terms",), low=0.0, may_lack=True)
        yield Array("probe.energies", ("probed atoms",))
        yield Array("probe.further", (6,), low=0.0, may_lack=True)
        yield Array("probe.energies_std", ("probed atoms",), low=0.0)
        yield Array("probe.forces_std", ("probed atoms",), low=0.0)
        yield Array("probe.excess", ("probed atoms",), low=0.0)
        yield Array("probe.calibration", ("probed indicators",), low=0.0)


def _state(state: dict, m: int, by_hash: bool) -> Iterator[Array]:
    for g, group in enumerate(state["groups"]):
        rows = m + 1 if group["triangle"] else f"rows of group {g}"
        yield Array(f"state.factor{g}", (rows, m + 1))
    n, atoms = len(state["drawn"]), "atoms drawn"
    yield Array("state.drawn.n_atoms", (n,), INTEGER, 1)
    yield Array("state.drawn.index", (n,), INTEGER)
    if not by_hash:
        yield Array("state.drawn.number", (n,), low=0.0, high=1.0)
    yield Array("state.drawn.numbers", (atoms,), INTEGER, 1, len(SYMBOLS))
    yield Array("state.drawn.positions", (atoms, 3))
    yield Array("state.drawn.cell", (n, 3, 3))
    yield Array("state.drawn.pbc", (n, 3), INTEGER, 0, 1)
    yield Array("state.drawn.forces", (atoms, 3), gaps=True)
    yield Array("state.drawn.stress", (n, 6), gaps=True)
    yield Array("state.drawn.scalars", (n, 4), gaps=True)
    yield Array("state.drawn.charge", (n,), may_lack=True)
    yield Array("state.drawn.signs", (atoms,), INTEGER, -1, 2, may_lack=True)
