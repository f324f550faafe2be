"""The whole state of an updatable regressor in one file: it goes on as if it had never stopped.

The file is a model file (`gapy.model.modelfile`: JSON and arrays in a zip, every byte checked,
never pickle) that holds, beside the potential, what updates need: settings, the factors of the
statistic, the structures kept for calibration, and counters. So `gapy.load` reads the potential of
a state file as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import ase.data
import numpy as np
from ase import Atoms
from sklearn.utils.validation import check_is_fitted

from gapy.errors import GapyError, ModelFileError
from gapy.fit.parameter_checks import check_settings
from gapy.fit.regressor import SparseGPRegressor
from gapy.fit.term_settings import TermSettings, term_settings
from gapy.fit.training import TrainingState
from gapy.gp.noise import KINDS
from gapy.gp.statistic import Factor, Group, SufficientStatistic
from gapy.gp.whitening import whitened
from gapy.model import modelfile, serialise
from gapy.model.potential import from_archive
from gapy.structures import LabelledStructure

LABELS = ("energy", "energy_sigma", "forces_sigma", "stress_sigma")


def save_state(regressor: SparseGPRegressor, path) -> None:
    """Write the state of a fitted regressor, whole or not at all; equal states, equal bytes.

    Raises
    ------
    GapyError : a state that is not solved; a setting that is no plain number, text or mapping of
        them; the file cannot be written, and an older one is left as it was
    NotFittedError : the regressor has not been fitted
    """
    check_is_fitted(regressor, "training_")
    training = regressor.training_
    if not training.is_solved:
        raise GapyError(
            "training_: expected a state that is solved, so that the file holds a potential, got "
            "one that is not; call gapy.fit.solving.solve first"
        )
    model, arrays = serialise.pack(training.potential)
    factors = training.statistic.factors
    state = {
        "whitened": True,
        "settings": _settings(regressor),
        "several_terms": isinstance(regressor.descriptor, list | tuple),
        "asked": [term.to_dict() for term in term_settings(regressor.descriptor)],
        "e0": {ase.data.chemical_symbols[z]: float(e) for z, e in training.e0.items()},
        "n_structures": training.n_structures,
        "n_updates": training.n_updates,
        "fit_seconds": float(regressor.fit_seconds_),
        "digest": training.digest.hex(),
        "approximate": training.approximate,
        "kinds": list(training.kinds),
        "seed": training.seed,
        "groups": [_group(group, factor) for group, factor in factors.items()],
        "drawn": [{"config_type": s.config_type, "source": s.source} for s in training.sample],
    }
    if training.earlier is not None:
        state["earlier"] = [training.earlier[0], training.earlier[1].hex()]
    more = {f"factor{g}": factor.matrix() for g, factor in enumerate(factors.values())}
    more |= _pack_structures(training.sample)
    modelfile.write(
        path, {**model, "state": state}, arrays | {f"state.{k}": v for k, v in more.items()}
    )


def load_state(path) -> SparseGPRegressor:
    """The regressor that `save_state` wrote; what it computes next is equal to the last bit.

    Raises
    ------
    ModelFileError : missing, damaged, of a newer version, or a model without a state
    """
    archive = modelfile.read(path)
    if "state" not in archive.model:
        raise ModelFileError(
            f"{path}: expected the state of a regressor, got a model without one, which cannot be "
            "updated; name a file written by save_state"
        )
    potential = from_archive(archive, path)
    start = "state."
    arrays = {k[len(start) :]: v for k, v in archive.arrays.items() if k.startswith(start)}
    try:
        gp = _rebuilt(archive.model["state"], arrays, potential)
        check_settings(gp)
    except Exception as error:  # as in `potential.from_archive`
        raise ModelFileError(
            f"{path}: expected a state that this version can rebuild, got "
            f"{' '.join(repr(error).split())[:300]}; fit it again"
        ) from error
    return gp


def _rebuilt(state: dict, arrays: dict, potential) -> SparseGPRegressor:
    asked_for = [
        TermSettings(term.descriptor, **asked) if asked else term.descriptor
        for term, asked in zip(potential.terms, state.get("asked", [{}] * len(potential.terms)))
    ]
    chosen = asked_for if state["several_terms"] else asked_for[0]
    gp = SparseGPRegressor(chosen, baselines=potential.baselines, **state["settings"])
    of_version_2 = "kinds" not in state
    earlier = state.get("earlier")
    if of_version_2:
        earlier = (state["n_structures"], state["digest"])
    sample = _unpack_structures(state["drawn"], arrays)
    if of_version_2:
        # Their rows are in the group of the config_type, scaled by its noise.
        sample = [
            replace(s, energy_sigma=None, forces_sigma=None, stress_sigma=None) for s in sample
        ]
    statistic = SufficientStatistic(len(potential.posterior.alpha))
    for g, group in enumerate(state["groups"]):
        key = Group(group["kind"], group["config_type"], group.get("own", False))
        matrix = arrays[f"factor{g}"]
        if not state.get("whitened", False):  # as rows were gathered formerly
            left = whitened(
                potential.posterior.blocks, potential.posterior.cholesky, matrix[:, :-1]
            )
            matrix = np.column_stack([left, matrix[:, -1]])
        statistic.factors[key] = Factor.of(
            matrix, group["n_rows"], group["log_weight"], group["triangle"]
        )
    gp.fit_seconds_ = state["fit_seconds"]
    gp.training_ = TrainingState(
        terms=potential.terms,
        cholesky=potential.posterior.cholesky,
        statistic=statistic,
        e0={ase.data.atomic_numbers[symbol]: e for symbol, e in state["e0"].items()},
        baselines=potential.baselines,
        noise=potential.noise,
        kinds=tuple(state.get("kinds") or _kinds_of_version_2(gp)),
        reach=potential.reach,
        sample=tuple(sample),
        digest=bytes(32) if of_version_2 else bytes.fromhex(state["digest"]),
        earlier=None if earlier is None else (earlier[0], bytes.fromhex(earlier[1])),
        seed=state.get("seed", int(gp.seed)),
        n_structures=state["n_structures"],
        n_updates=state["n_updates"],
        approximate=state["approximate"],
        potential=potential,
        solved_from=(potential.terms, potential.noise, statistic),
    )
    return gp


def _kinds_of_version_2(gp) -> tuple[str, ...]:
    return KINDS if gp.fit_stress else tuple(k for k in KINDS if k != "stress")


def _settings(gp) -> dict:
    """Constructor arguments but the descriptor, as plain JSON types."""
    settings = gp.get_params(deep=False)
    del settings["descriptor"], settings["baselines"]  # the model holds them
    return {name: _plain(value, name) for name, value in settings.items()}


def _plain(value, name: str):
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {_key(k): _plain(v, name) for k, v in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise GapyError(
        f"{name}: expected a number, a text or a mapping of them, so that it can be saved, got "
        f"{type(value).__name__}; set a plain value"
    )


def _key(key) -> str:
    """JSON has text keys only; atomic numbers become symbols."""
    return key if isinstance(key, str) else ase.data.chemical_symbols[int(key)]


def _group(group: Group, factor: Factor) -> dict:
    return {
        **group._asdict(),
        "n_rows": int(factor.n_rows),
        "log_weight": float(factor.log_weight),
        "triangle": factor.is_triangle,
    }


def _pack_structures(structures) -> dict[str, np.ndarray]:
    """Arrays of all structures one after the other; nan stands for a label that is not there."""
    none3 = [np.full((len(s.atoms), 3), np.nan) for s in structures]
    return {
        "drawn.n_atoms": np.array([len(s.atoms) for s in structures], dtype=np.int64),
        "drawn.index": np.array([s.index for s in structures], dtype=np.int64),
        "drawn.numbers": np.concatenate([s.atoms.numbers for s in structures]).astype(np.int64),
        "drawn.positions": np.concatenate([s.atoms.positions for s in structures]),
        "drawn.cell": np.array([s.atoms.cell.array for s in structures]),
        "drawn.pbc": np.array([s.atoms.pbc for s in structures]).astype(np.int64),
        "drawn.forces": np.concatenate(
            [no if s.forces is None else s.forces for s, no in zip(structures, none3)]
        ),
        "drawn.stress": np.array(
            [np.full(6, np.nan) if s.stress is None else s.stress for s in structures]
        ),
        "drawn.scalars": np.array(
            [
                [np.nan if getattr(s, k) is None else getattr(s, k) for k in LABELS]
                for s in structures
            ]
        ),
    }


def _unpack_structures(texts: list[dict], arrays) -> list[LabelledStructure]:
    bounds = np.concatenate([[0], np.cumsum(arrays["drawn.n_atoms"])])
    out = []
    for k, text in enumerate(texts):
        own = slice(bounds[k], bounds[k + 1])
        atoms = Atoms(
            arrays["drawn.numbers"][own],
            arrays["drawn.positions"][own],
            cell=arrays["drawn.cell"][k],
            pbc=arrays["drawn.pbc"][k].astype(bool),
        )
        atoms.info["config_type"] = text["config_type"]
        scalars = {
            name: None if np.isnan(v) else float(v)
            for name, v in zip(LABELS, arrays["drawn.scalars"][k])
        }
        out.append(
            LabelledStructure(
                atoms=atoms,
                forces=_given(arrays["drawn.forces"][own]),
                stress=_given(arrays["drawn.stress"][k]),
                config_type=text["config_type"],
                source=text["source"],
                index=int(arrays["drawn.index"][k]),
                **scalars,
            )
        )
    return out


def _given(label: np.ndarray) -> np.ndarray | None:
    return None if np.isnan(label).all() else label.copy()
