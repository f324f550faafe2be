"""A fitted potential as plain JSON and arrays, and back, without losing a bit."""

from __future__ import annotations

import ase.data
import numpy as np
from ase import Atoms

from gapy.baselines import from_settings as baseline_from_settings
from gapy.baselines import imports_of
from gapy.descriptors import descriptor_from_settings
from gapy.descriptors.pair import PairDescriptor
from gapy.error_bars.calibration import ForceCalibration
from gapy.error_bars.extrapolation import Extrapolation, SpeciesExtrapolation
from gapy.errors import ModelFileError
from gapy.gp.noise import Noise
from gapy.gp.posterior import Posterior
from gapy.gp.terms import Term, blocks
from gapy.model import references
from gapy.structures.charge import charge_of, with_charge
from gapy.structures.spins import signs_of, with_signs


def pack_setup(of, cholesky) -> tuple[dict, dict[str, np.ndarray]]:
    """(JSON, arrays) of what a Potential and a TrainingState share: all but the labels' part.

    cholesky: the factors of K_MM.
    """
    arrays = {f"block{b}.cholesky": lower[_lower(len(lower))] for b, lower in enumerate(cholesky)}
    for t, term in enumerate(of.terms):
        arrays |= {f"term{t}.{name}": a for name, a in term.descriptor.arrays().items()}
        for s, x_sd in enumerate(term.inducing):
            arrays[f"term{t}.inducing{s}"] = np.ascontiguousarray(x_sd)
    for t, reach in enumerate(of.reach):
        arrays.update(_pack_reach(t, reach))
    model = {
        "terms": [_pack_term(term) for term in of.terms],
        "reach": [_reach_numbers(reach) for reach in of.reach],
        "e0": {ase.data.chemical_symbols[z]: float(e) for z, e in of.e0.items()},
        "baselines": [{"kind": b.kind, "settings": b.settings()} for b in of.baselines],
        "noise": of.noise.to_dict(),
    }
    return model, arrays


def require_trust(model: dict, trust: bool, path) -> None:
    """Raise ModelFileError for a file whose baselines import something, unless it is trusted.

    A path and its arguments are code: whoever writes the file chooses what runs on loading.
    """
    if not trust and (named := imports_of(model.get("baselines", ()))):
        raise ModelFileError(
            f"{path}: expected a model that imports nothing, got one with the baseline calculator, "
            f"which would import {', '.join(named)}; if you know where the file comes from, load "
            "it with trust=True or --trust"
        )


def unpack_setup(model: dict, arrays: dict[str, np.ndarray]) -> dict:
    """What `pack_setup` was given, by the name of the attribute."""
    terms = tuple(_unpack_term(t, term, arrays) for t, term in enumerate(model["terms"]))
    return {
        "terms": terms,
        "e0": {ase.data.atomic_numbers[symbol]: e for symbol, e in model["e0"].items()},
        "baselines": tuple(
            baseline_from_settings(b["kind"], b["settings"]) for b in model.get("baselines", ())
        ),
        "noise": Noise.from_dict(model["noise"]),
        "reach": tuple(
            _unpack_reach(t, numbers, arrays) for t, numbers in enumerate(model.get("reach", ()))
        ),
    }


def unpack_cholesky(terms, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """The factors of K_MM; triangles as `squares` has them."""
    return tuple(arrays[f"block{k}.cholesky"] for k in range(len(blocks(terms))))


def pack(potential) -> tuple[dict, dict[str, np.ndarray]]:
    """(JSON, arrays) of a Potential, in double precision."""
    potential = potential.in_precision("double")
    posterior = potential.posterior
    setup, arrays = pack_setup(potential, posterior.cholesky)
    arrays |= {
        "r_factor": posterior.r_factor[_upper(len(posterior.r_factor))],
        "w": posterior.w,
        "alpha": posterior.alpha,
    }
    for b, basis_dr in enumerate(potential.bases):
        if basis_dr is not None:
            arrays[f"block{b}.basis"] = basis_dr
    for k, (atoms, _) in enumerate(potential.references):
        arrays[f"reference{k}.numbers"] = atoms.numbers.astype(np.int64)
        arrays[f"reference{k}.positions"] = atoms.positions
        arrays[f"reference{k}.cell"] = atoms.cell.array
        arrays[f"reference{k}.pbc"] = atoms.pbc.astype(np.int64)
        if charge := charge_of(atoms):
            arrays[f"reference{k}.charge"] = np.array([charge])
        if (signs := signs_of(atoms)) is not None:
            arrays[f"reference{k}.signs"] = signs
    arrays.update(references.pack(potential))
    model = {
        **setup,
        "species": [ase.data.chemical_symbols[z] for z in potential.species],
        "cutoff": float(potential.cutoff) if np.isfinite(potential.cutoff) else None,
        "calibration": potential.calibration.to_dict(),
        "bases": len(potential.bases),
        "log_marginal_likelihood": float(posterior.log_marginal_likelihood),
        "metadata": dict(potential.metadata),
        "reference_energies": [float(energy) for _, energy in potential.references],
    }
    return model, arrays


def squares(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays of `pack` as `unpack` takes them: triangles as matrices, in the order of a fit."""
    out = dict(arrays)
    for name, packed in arrays.items():
        if name == "r_factor" or name.endswith(".cholesky"):
            n = int(np.sqrt(2 * len(packed)))
            upper = name == "r_factor"
            out[name] = np.zeros((n, n), order="C" if upper else "F")
            out[name][_upper(n) if upper else _lower(n)] = packed
    return out


def unpack(model: dict, arrays: dict[str, np.ndarray]) -> dict:
    """Keyword arguments of the Potential that `pack` was given; triangles as `squares` has them."""
    setup = unpack_setup(model, arrays)
    posterior = Posterior(
        blocks=blocks(setup["terms"]),
        cholesky=unpack_cholesky(setup["terms"], arrays),
        r_factor=arrays["r_factor"],
        w=arrays["w"],
        alpha=arrays["alpha"],
        log_marginal_likelihood=model["log_marginal_likelihood"],
    )
    structures = tuple(
        (_unpack_atoms(k, arrays), energy) for k, energy in enumerate(model["reference_energies"])
    )
    return {
        **setup,
        "posterior": posterior,
        "calibration": ForceCalibration.from_dict(model["calibration"]),
        "bases": _unpack_bases(model, arrays),
        "metadata": model["metadata"],
        "references": structures,
    }


def _unpack_bases(model: dict, arrays) -> tuple[np.ndarray | None, ...]:
    return tuple(arrays.get(f"block{b}.basis") for b in range(model["bases"]))


def _pack_term(term: Term) -> dict:
    out = {
        "descriptor": {"kind": term.descriptor.kind, "settings": term.descriptor.settings()},
        "zeta": int(term.zeta),
        "delta": [float(d) for d in term.delta],
    }
    if not term.of_pairs:
        out["serves"] = [ase.data.chemical_symbols[z] for z in term.served]
    arrays = term.descriptor.arrays()
    if "projection0" in arrays:
        out["n_components"] = term.descriptor.n_features
    if "mixing0" in arrays:
        out["n_channels"] = arrays["mixing0"].shape[2]
    return out


def _unpack_term(t: int, term: dict, arrays) -> Term:
    n = len(term["delta"])
    if term["descriptor"]["kind"] == PairDescriptor.kind:
        pairs = PairDescriptor.from_settings(term["descriptor"]["settings"])
        points = tuple(arrays[f"term{t}.inducing{s}"] for s in range(n))
        return Term(pairs, term["zeta"], points, tuple(term["delta"]))
    inducing = tuple(arrays[f"term{t}.inducing{s}"] for s in range(n))
    bases, mixing = (
        [arrays[f"term{t}.{name}{s}"] for s in range(n)] if key in term else []
        for name, key in (("projection", "n_components"), ("mixing", "n_channels"))
    )
    descriptor = descriptor_from_settings(
        **term["descriptor"], mixing=mixing, bases=bases, n_species=n,
        n_features=None if bases else inducing[0].shape[1],
    )  # fmt: skip
    serves = [ase.data.atomic_numbers[symbol] for symbol in term.get("serves", ())]
    return Term(
        descriptor, term["zeta"], inducing, tuple(term["delta"]), tuple(serves) if serves else None
    )


def _pack_reach(t: int, reach: Extrapolation | None) -> dict[str, np.ndarray]:
    if reach is None:
        return {}
    arrays = {f"reach{t}.least": reach.least_ss}
    if reach.nearest_s is not None:
        arrays[f"reach{t}.nearest"] = reach.nearest_s
    for s, one in enumerate(reach.species):
        if one is not None:
            arrays[f"reach{t}.mean{s}"] = one.mean_d
            arrays[f"reach{t}.directions{s}"] = one.w_dr
    return arrays


def _reach_numbers(reach: Extrapolation | None) -> list | None:
    """[rest, limit] of each species slot, None for one without data."""
    if reach is None:
        return None
    return [None if s is None else [float(s.rest), float(s.limit)] for s in reach.species]


def _unpack_reach(t: int, numbers: list | None, arrays) -> Extrapolation | None:
    if numbers is None:
        return None
    species = tuple(
        None
        if pair is None
        else SpeciesExtrapolation(
            arrays[f"reach{t}.mean{s}"], arrays[f"reach{t}.directions{s}"], *pair
        )
        for s, pair in enumerate(numbers)
    )
    return Extrapolation(species, arrays[f"reach{t}.least"], arrays.get(f"reach{t}.nearest"))


def _unpack_atoms(k: int, arrays) -> Atoms:
    atoms = Atoms(
        numbers=arrays[f"reference{k}.numbers"],
        positions=arrays[f"reference{k}.positions"],
        cell=arrays[f"reference{k}.cell"],
        pbc=arrays[f"reference{k}.pbc"].astype(bool),
    )
    with_signs(atoms, arrays.get(f"reference{k}.signs"))
    charge = arrays.get(f"reference{k}.charge")
    return atoms if charge is None else with_charge(atoms, float(charge[0]))


def _lower(n: int) -> np.ndarray:
    return np.tri(n, dtype=bool)


def _upper(n: int) -> np.ndarray:
    return ~np.tri(n, k=-1, dtype=bool)
