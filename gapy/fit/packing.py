"""What labels contributed to the state of a fit as plain JSON and arrays, and back, bit by bit."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from gapy.fit.training import TrainingState
from gapy.gp.statistic import Factor, Group, SufficientStatistic
from gapy.gp.whitening import whitened
from gapy.structures import LabelledStructure
from gapy.structures.charge import charge_of, with_charge
from gapy.structures.spins import signs_of, with_signs

UNKNOWN = 2
"""In place of the sign of a moment."""
LABELS = ("energy", "energy_sigma", "forces_sigma", "stress_sigma")


def pack_state(training: TrainingState) -> tuple[dict, dict[str, np.ndarray]]:
    """(JSON, arrays) of all but the potential and what `serialise.pack_setup` takes."""
    factors = training.statistic.factors
    state = {
        "n_structures": training.n_structures,
        "n_updates": training.n_updates,
        "digest": training.digest.hex(),
        "approximate": training.approximate,
        "kinds": list(training.kinds),
        "seed": training.seed,
        "whitened": True,
        "groups": [_group(group, factor) for group, factor in factors.items()],
        "drawn": [{"config_type": s.config_type, "source": s.source} for s in training.sample],
    }
    if training.earlier is not None:
        state["earlier"] = [training.earlier[0], training.earlier[1].hex()]
    arrays = {f"factor{g}": factor.matrix() for g, factor in enumerate(factors.values())}
    arrays |= _pack_structures(training.sample)
    return state, {f"state.{name}": array for name, array in arrays.items()}


def unpack_state(state: dict, arrays: dict[str, np.ndarray], table, cholesky) -> dict:
    """What `pack_state` was given, by the name of the attribute.

    table, cholesky: blocks of columns and the factors to which the statistic refers.
    """
    start = "state."
    arrays = {k[len(start) :]: v for k, v in arrays.items() if k.startswith(start)}
    statistic = SufficientStatistic(table[-1].stop)
    for g, group in enumerate(state["groups"]):
        matrix = arrays[f"factor{g}"]
        if not state.get("whitened", False):  # as rows were gathered formerly
            left = whitened(table, cholesky, matrix[:, :-1])
            matrix = np.column_stack([left, matrix[:, -1]])
        key = Group(group["kind"], group["config_type"], group.get("own", False))
        statistic.factors[key] = Factor.of(
            matrix, group["n_rows"], group["log_weight"], group["triangle"]
        )
    earlier = state.get("earlier")
    return {
        "statistic": statistic,
        "kinds": tuple(state["kinds"]),
        "sample": tuple(_unpack_structures(state["drawn"], arrays)),
        "digest": bytes.fromhex(state["digest"]),
        "earlier": None if earlier is None else (earlier[0], bytes.fromhex(earlier[1])),
        **{k: state[k] for k in ("seed", "n_structures", "n_updates", "approximate")},
    }


def _group(group: Group, factor: Factor) -> dict:
    return {
        **group._asdict(),
        "n_rows": int(factor.n_rows),
        "log_weight": float(factor.log_weight),
        "triangle": factor.is_triangle,
    }


def _pack_structures(structures) -> dict[str, np.ndarray]:
    """Arrays of all structures one after the other; nan stands for a label that is not there."""

    def joined(parts) -> np.ndarray:
        return np.concatenate([np.empty((0, 3)), *parts])

    return {
        "drawn.n_atoms": np.array([len(s.atoms) for s in structures], dtype=np.int64),
        "drawn.index": np.array([s.index for s in structures], dtype=np.int64),
        "drawn.numbers": np.array([z for s in structures for z in s.atoms.numbers], dtype=np.int64),
        "drawn.positions": joined(s.atoms.positions for s in structures),
        "drawn.cell": np.reshape([s.atoms.cell.array for s in structures], (-1, 3, 3)),
        "drawn.pbc": np.reshape([s.atoms.pbc for s in structures], (-1, 3)).astype(np.int64),
        **_charges(structures),
        **_signs(structures),
        "drawn.forces": joined(
            np.full((len(s.atoms), 3), np.nan) if s.forces is None else s.forces for s in structures
        ),
        "drawn.stress": np.reshape(
            [np.full(6, np.nan) if s.stress is None else s.stress for s in structures], (-1, 6)
        ),
        "drawn.scalars": np.reshape(
            [
                [np.nan if getattr(s, k) is None else float(getattr(s, k)) for k in LABELS]
                for s in structures
            ],
            (-1, len(LABELS)),
        ),
    }


def _charges(structures) -> dict[str, np.ndarray]:
    """Only where some structure is charged: files of neutral ones stay as they were."""
    charges = np.array([charge_of(s.atoms) for s in structures])
    return {"drawn.charge": charges} if charges.any() else {}


def _signs(structures) -> dict[str, np.ndarray]:
    """Only where some structure has them; UNKNOWN for the atoms of one that has none."""
    found = [signs_of(s.atoms) for s in structures]
    if all(signs is None for signs in found):
        return {}
    known = [
        np.full(len(s.atoms), UNKNOWN) if signs is None else signs
        for s, signs in zip(structures, found)
    ]
    return {"drawn.signs": np.concatenate(known)}


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
        if "drawn.charge" in arrays:
            with_charge(atoms, float(arrays["drawn.charge"][k]))
        if "drawn.signs" in arrays and UNKNOWN not in (signs := arrays["drawn.signs"][own]):
            with_signs(atoms, signs)
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
