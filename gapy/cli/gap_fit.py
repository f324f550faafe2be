"""A command line of gap_fit as settings of `gapy fit`, with what is mapped and what is not.

Names, units and defaults of gap_fit: https://libatoms.github.io/GAP/gap_fit.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gapy.errors import GapyError

KINDS = ("energy", "forces", "stress")
"""The first three sigmas of gap_fit; the fourth is of hessians."""
SELECTIONS = {
    "cur_points": "cur", "random": "random", "cluster": "kmeans", "cur_covariance": "cholesky",
}  # fmt: skip
OLD_NAMES = {
    "atoms_filename": "at_file", "gp_file": "gap_file",
    "default_kernel_regularisation": "default_sigma",
    "config_kernel_regularisation": "config_type_sigma",
    "config_type_kernel_regularisation": "config_type_sigma",
}  # fmt: skip
KEYS = {
    "energy_parameter_name": ("energy_key", "energy"),
    "force_parameter_name": ("forces_key", "force"),
    "virial_parameter_name": ("virial_key", None),
}
"""Our name of each key, and what holds in gap_fit where it is not given."""
NOT_NEEDED = {
    "sparse_jitter": "a Cholesky factor with a jitter of its own whitens the rows",
    "sparse_separate_file": "a model is one file",
    "do_copy_at_file": "a model holds the hash of its data",
    "do_copy_atoms_file": "a model holds the hash of its data",
    "openmp_chunk_size": "--threads says how many",
    "verbosity": "there is one",
    "sigma_parameter_name": "sigmas of a structure are found as energy_sigma, forces_sigma, ...",
    "mpi_blocksize_rows": "see --workers", "mpi_blocksize_cols": "see --workers",
    "config_type_parameter_name": "groups of structures are named by config_type",
    "sigma_per_atom": "energies of N atoms have the noise sigma sqrt(N), as with its default T",
    "hessian_parameter_name": "hessians are not fitted",
    "rnd_seed": "give --seed",
}  # fmt: skip
OF_SOAP = {
    "cutoff": "r_cut", "n_max": "n_max", "l_max": "l_max", "atom_sigma": "sigma", "zeta": "zeta",
    "n_sparse": "n_inducing", "delta": "delta",
}  # fmt: skip
OF_PAIR = {
    "cutoff": "r_cut", "n_sparse": "n_inducing", "delta": "delta", "theta_uniform": "length",
    "cutoff_transition_width": "transition",
}  # fmt: skip
WHOLE = ("n_max", "l_max", "zeta", "n_inducing")
IGNORED = {
    "cutoff_transition_width": "densities fade over the whole cutoff, with a smooth weight",
    "covariance_type": "the kernel of the term is the same",
    "add_species": "all species are told apart",
    "n_species": "all species are told apart", "species_Z": "all species are told apart",
    "sparse_method": "inducing distances are evenly spaced",
    "config_type_n_sparse": "points are chosen among all structures, see selection",
    "radial_scaling": "the weight of densities is the smooth one",
    "cutoff_scale": "the weight of densities is the smooth one",
    "cutoff_rate": "the weight of densities is the smooth one",
    "central_weight": "as of dscribe, 1", "theta_fac": "theta_uniform is mapped",
    "f0": "the mean of the process is zero", "print_sparse_index": "the file holds the points",
}  # fmt: skip


@dataclass
class Translation:
    """settings: values of FitSettings; mapped, ignored: lines for people."""

    settings: dict[str, Any] = field(default_factory=dict)
    mapped: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """All of it, a line each."""
        yield from (f"from gap_fit: {line}" for line in self.mapped)
        yield from (f"from gap_fit, not mapped: {line}" for line in self.ignored)


def translated(command: str) -> Translation:
    """Settings of `gapy fit` that ask for what a gap_fit command line asks for.

    Raises
    ------
    GapyError : what is no such command line, or has no SOAP term
    """
    given = {OLD_NAMES.get(name, name): value for name, value in _arguments(command)}
    out = Translation()
    if "gap" not in given:
        raise GapyError(
            "from-gap-fit: expected gap={...}, the descriptors of a gap_fit command, got none; "
            "give the whole command line in quotes"
        )
    if "at_file" in given:
        out.settings["train"] = (given.pop("at_file"),)
        out.mapped.append(f"at_file: fitted to {out.settings['train'][0]}")
    if "gap_file" in given:
        out.settings["output"] = f"{Path(given.pop('gap_file')).stem}.gapy"
        out.mapped.append(f"gap_file: written to {out.settings['output']}")
    tables = [t for text in _split(given.pop("gap"), ":") if (t := _term(text, out)) is not None]
    if not any(table["kind"] == "soap" for table in tables):
        raise GapyError(
            "from-gap-fit: expected a soap among the descriptors, by which error bars go, got "
            "none; add one"
        )
    out.settings["term"] = tuple(tables)
    for old, (name, unsaid) in KEYS.items():
        value = given.pop(old, unsaid)
        if value is not None:
            out.settings[name] = value
            out.mapped.append(f"{old}: {name} {value}")
    _noise(given, out)
    _free_atoms(given, out)
    for name in ("core_param_file", "core_ip_args"):
        if name in given:
            out.ignored.append(
                f"{name}={given.pop(name)}: [baseline.KIND] of a TOML file states one"
            )
    for name, value in given.items():
        out.ignored.append(f"{name}={value}: {NOT_NEEDED.get(name, 'gapy has no such option')}")
    return out


def _noise(given: dict, out: Translation) -> None:
    """Sigmas of kinds and of config_types; those of virials wait for cells, see `stress_sigma`."""
    if "default_sigma" in given:
        sigmas = _numbers("default_sigma", given.pop("default_sigma"), " ")
        for kind, value in zip(KINDS, sigmas):
            _sigma(kind, value, out.settings, out, "default_sigma")
    table: dict[str, dict] = {}
    parts = _split(given.pop("config_type_sigma", ""), ":")
    if len(parts) % 5:
        raise GapyError(
            "from-gap-fit: config_type_sigma: expected {name:energy:force:virial:hessian:...}, got "
            f"{len(parts)} parts"
        )
    for k in range(0, len(parts), 5):
        name, *values = parts[k : k + 5]
        sigmas = _numbers("config_type_sigma", " ".join(values), " ")
        table[name] = {kind: v for kind, v in zip(KINDS, sigmas) if v > 0.0}
        out.mapped.append(f"config_type_sigma: [noise.{name}] {table[name]}")
    if table:
        out.settings["noise"] = table


def _sigma(kind: str, value: float, settings: dict, out: Translation, where: str) -> None:
    if value > 0.0:
        settings[f"sigma_{kind}"] = value
        out.mapped.append(f"{where}: sigma_{kind} {value:g}, given and so not learnt")
    elif kind == "stress":
        settings["stress"] = False
        out.mapped.append(f"{where}: virials of sigma 0 are not fitted")
    else:
        out.ignored.append(f"{where}: {kind} {value:g}; noise has to be positive")


def _free_atoms(given: dict, out: Translation) -> None:
    if "e0" in given:
        parts = _split(given.pop("e0"), ":")
        if len(parts) > 1:
            out.settings["e0"] = dict(zip(parts[::2], _numbers("e0", " ".join(parts[1::2]), " ")))
        elif float(parts[0]) == 0.0:
            out.settings["e0"] = "zero"
        else:
            out.ignored.append(f"e0={parts[0]}: give --e0 by species")
        if "e0" in out.settings:
            out.mapped.append(f"e0: {out.settings['e0']}")
    if "e0_method" in given:
        method = given.pop("e0_method")
        known = {"isolated": "isolated", "average": "fit"}
        if method in known:
            out.settings["e0"] = known[method]
            of = ", a least-squares fit by species" if method == "average" else ""
            out.mapped.append(f"e0_method {method}: e0 {known[method]}{of}")
        else:
            out.ignored.append(f"e0_method={method}: e0 auto instead")


def _term(text: str, out: Translation) -> dict | None:
    name, *rest = _split(text, " ")
    given = dict(_pair(item) for item in rest)
    if name not in ("soap", "distance_2b"):
        out.ignored.append(f"{name}: gapy has no such term; SOAP holds angles and more")
        return None
    kind, names = ("soap", OF_SOAP) if name == "soap" else ("pair", OF_PAIR)
    table: dict[str, Any] = {"kind": kind}
    for old, value in given.items():
        if old in names:
            number = _numbers(f"{name} {old}", value, " ")[0]
            table[names[old]] = int(number) if names[old] in WHOLE else number
        elif old == "sparse_method" and kind == "soap" and value in SELECTIONS:
            table["selection"] = SELECTIONS[value]
        elif old in ("Z", "Z1", "Z2"):
            from ase.data import chemical_symbols

            symbol = chemical_symbols[int(_numbers(f"{name} {old}", value, " ")[0])]
            table["species"] = sorted({*table.get("species", ()), symbol})
        else:
            out.ignored.append(f"{name} {old}={value}: {IGNORED.get(old, 'no such setting')}")
    if kind == "pair" and "n_inducing" in table:
        wanted = table["n_inducing"]
        least = int(table.get("r_cut", 6.0) / (0.7 * table.get("length", 0.7))) + 2
        table["n_inducing"] = max(wanted, least)
        if least > wanted:
            out.ignored.append(f"{name} n_sparse={wanted}: {least} carry this kernel exactly")
    shown = ", ".join(f"{key} {value}" for key, value in table.items() if key != "kind")
    out.mapped.append(f"{name}: [[term]] {kind} with {shown or 'its defaults'}")
    return table


def stress_sigma(settings, structures):
    """Settings whose sigmas of virials (eV) are those of stresses (eV/A^3).

    gap_fit's noise of the virial of N atoms is sigma sqrt(N); divided by the volume, the median
    over the structures.
    """
    import numpy as np

    from gapy._support.voigt import has_volume

    cells = [s.atoms for s in structures if s.stress is not None and has_volume(s.atoms)]
    if not cells:
        return settings
    scale = float(np.median([np.sqrt(len(a)) / a.get_volume() for a in cells]))
    noise = {
        name: {k: v * (scale if k == "stress" else 1.0) for k, v in sigmas.items()}
        for name, sigmas in settings.noise.items()
    }
    changed: dict[str, Any] = {"noise": noise}
    if settings.sigma_stress is not None:
        changed["sigma_stress"] = settings.sigma_stress * scale
    return settings.but(**changed)


def _arguments(command: str) -> Iterator[tuple[str, str]]:
    for item in _split(command.replace("\\\n", " ").replace("\n", " "), " "):
        if "=" in item:
            yield _pair(item)
        elif not item.rsplit("/", 1)[-1].startswith("gap_fit"):
            raise GapyError(
                f"from-gap-fit: expected name=value as gap_fit takes it, got {item!r}; give the "
                "whole command line in quotes"
            )


def _pair(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals:
        raise GapyError(f"from-gap-fit: expected name=value, got {item!r}; correct it")
    return name.strip(), _bare(value)


def _bare(value: str) -> str:
    """Without the braces or quotes around it."""
    value = value.strip()
    while len(value) > 1 and (value[0], value[-1]) in (("{", "}"), ('"', '"'), ("'", "'")):
        value = value[1:-1].strip()
    return value


def _split(text: str, at: str) -> list[str]:
    """Parts between separators that no braces or quotes enclose, without the empty ones.

    Raises GapyError for braces without their other half.
    """
    parts, depth, quote, current = [], 0, "", ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "{}":
            depth += 1 if letter == "{" else -1
        elif letter == at and not depth:
            parts.append(current.strip())
            current = ""
            continue
        current += letter
        if depth < 0:
            break
    if depth or quote:
        raise GapyError(
            f"from-gap-fit: expected every brace and quote closed, got {text!r:.60}; correct it"
        )
    return [part for part in [*parts, current.strip()] if part]


def _numbers(where: str, text: str, at: str) -> list[float]:
    try:
        return [float(item.replace("d", "e").replace("D", "e")) for item in _split(text, at)]
    except ValueError:
        raise GapyError(
            f"from-gap-fit: {where}: expected numbers, got {text!r}; correct it"
        ) from None
