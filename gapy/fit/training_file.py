"""The state of a fit in one file, solved or not: what a worker hands on.

An archive of JSON and arrays like a model file (`gapy.model.modelfile`: every byte checked, never
pickle), without a potential; `gapy.fit.checkpoint` keeps a regressor with its potential. One state
that holds no labels goes to all workers, what they absorb comes back:

    save_training(regressor.begin(structures), "start.state")
    save_training(absorb(load_training("start.state"), shard), "shard1.state")
    total = merge(load_training("shard1.state"), load_training("shard2.state"))
"""

from __future__ import annotations

from pathlib import Path

from gapy.errors import ModelFileError, PackageError
from gapy.fit.packing import pack_state, unpack_state
from gapy.fit.training import TrainingState
from gapy.gp.terms import blocks
from gapy.model import modelfile, serialise


def save_training(state: TrainingState, path) -> Path:
    """Write a state, whole or not at all; equal states, equal bytes.

    Its potential is not written: `gapy.fit.solving.solve` finds it again.

    Raises GapyError if the file cannot be written; an older one is left as it was.
    """
    setup, arrays = serialise.pack_setup(state, state.cholesky)
    packed, more = pack_state(state)
    return modelfile.write(path, {**setup, "state": packed}, arrays | more, modelfile.TRAINING)


def load_training(path, *, trust: bool = False) -> TrainingState:
    """The state that `save_training` wrote; what is computed with it is equal to the last bit.

    Raises ModelFileError for a file that is missing, damaged, altered, of another kind or of a
    newer version, and, unless `trust`, for one with a baseline that would import a calculator.
    """
    archive = modelfile.read(path, modelfile.TRAINING)
    serialise.require_trust(archive.model, trust, path)
    try:
        setup = serialise.unpack_setup(archive.model, archive.arrays)
        table = blocks(setup["terms"])
        cholesky = serialise.unpack_cholesky(setup["terms"], archive.arrays)
        found = unpack_state(archive.model["state"], archive.arrays, table, cholesky)
        return TrainingState(cholesky=cholesky, **setup, **found)
    except PackageError:
        raise
    # The schema does not know all that libraries refuse, and they refuse it in many ways.
    except Exception as error:
        raise ModelFileError(
            f"{path}: expected a training state that this version can rebuild, got "
            f"{' '.join(repr(error).split())[:300]}; save it again"
        ) from error
