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
from sklearn.utils.validation import check_is_fitted

from gapy.descriptors import unprojected
from gapy.errors import GapyError, ModelFileError
from gapy.fit.as_fitted import require_as_fitted, taken_once
from gapy.fit.packing import pack_state, unpack_state
from gapy.fit.parameter_checks import check_settings
from gapy.fit.regressor import SparseGPRegressor
from gapy.fit.term_settings import TermSettings, term_settings
from gapy.fit.training import TrainingState
from gapy.gp.noise import KINDS
from gapy.model import modelfile, serialise
from gapy.model.loading import from_archive


def save_state(regressor: SparseGPRegressor, path) -> None:
    """Write the state of a fitted regressor, whole or not at all; equal states, equal bytes.

    Raises
    ------
    GapyError : a state that is not solved; settings changed since the fit; a setting that is no
        plain number, text or mapping of them; the file cannot be written, and an older one is left
        as it was
    NotFittedError : the regressor has not been fitted
    """
    check_is_fitted(regressor, "training_")
    training = regressor.training_
    if not training.is_solved:
        raise GapyError(
            "training_: expected a state that is solved, so that the file holds a potential, got "
            "one that is not; call gapy.fit.solving.solve first, or write it with "
            "gapy.fit.training_file.save_training"
        )
    model, arrays = serialise.pack(training.potential)
    packed, more = pack_state(training)
    state = {
        **packed,
        "settings": _settings(regressor),
        "several_terms": isinstance(regressor.descriptor, list | tuple),
        "asked": [term.to_dict() for term in term_settings(regressor.descriptor)],
        "e0": {ase.data.chemical_symbols[z]: float(e) for z, e in training.e0.items()},
        "fit_seconds": float(regressor.fit_seconds_),
    }
    require_as_fitted(regressor, but=("e0",))  # as in an update
    modelfile.write(path, {**model, "state": state}, arrays | more)


def load_state(path, *, trust: bool = False) -> SparseGPRegressor:
    """The regressor that `save_state` wrote; what it computes next is equal to the last bit.

    Raises
    ------
    ModelFileError : missing, damaged, of a newer version, a model without a state, or, unless
        `trust`, one with a baseline that would import a calculator
    """
    archive = modelfile.read(path)
    if "state" not in archive.model:
        raise ModelFileError(
            f"{path}: expected the state of a regressor, got a model without one, which cannot be "
            "updated; name a file written by save_state"
        )
    potential = from_archive(archive, path, trust=trust)
    try:
        gp = _rebuilt(archive.model["state"], archive.arrays, potential)
        check_settings(gp)
    except Exception as error:  # as in `loading.from_archive`
        raise ModelFileError(
            f"{path}: expected a state that this version can rebuild, got "
            f"{' '.join(repr(error).split())[:300]}; fit it again"
        ) from error
    return gp


def _rebuilt(state: dict, arrays: dict, potential) -> SparseGPRegressor:
    asked_for = [
        TermSettings(unprojected(term.descriptor), **asked)
        if asked
        else unprojected(term.descriptor)
        for term, asked in zip(potential.terms, state.get("asked", [{}] * len(potential.terms)))
    ]
    chosen = asked_for if state["several_terms"] else asked_for[0]
    gp = SparseGPRegressor(chosen, baselines=potential.baselines, **state["settings"])
    of_version_2 = "kinds" not in state
    if of_version_2:
        state = _as_of_version_3(state, gp)
    table, cholesky = potential.posterior.blocks, potential.posterior.cholesky
    found = unpack_state(state, arrays, table, cholesky)
    if of_version_2:
        # Their rows are in the group of the config_type, scaled by its noise.
        found["sample"] = tuple(
            replace(s, energy_sigma=None, forces_sigma=None, stress_sigma=None)
            for s in found["sample"]
        )
    gp.fitted_with_ = taken_once(gp)
    gp.fit_seconds_ = state["fit_seconds"]
    gp.training_ = TrainingState(
        terms=potential.terms,
        cholesky=cholesky,
        e0={ase.data.atomic_numbers[symbol]: e for symbol, e in state["e0"].items()},
        baselines=potential.baselines,
        noise=potential.noise,
        reach=potential.reach,
        potential=potential,
        solved_from=(potential.terms, potential.noise, found["statistic"]),
        **found,
    )
    return gp


def _as_of_version_3(state: dict, gp) -> dict:
    """Its digest is that of an order, of which later structures know nothing."""
    return {
        **state,
        "earlier": [state["n_structures"], state["digest"]],
        "digest": bytes(32).hex(),
        "kinds": list(KINDS if gp.fit_stress else (k for k in KINDS if k != "stress")),
        "seed": int(gp.seed),
    }


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
