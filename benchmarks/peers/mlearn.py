"""mlearn silicon as all rivals see it: energies and forces, a fifth left out, and errors."""

from __future__ import annotations

import numpy as np
from ase.io import read, write

TRAIN, TEST = "mlearn/Si_train.xyz", "mlearn/Si_test.xyz"
SEED = 0


def train(options) -> list:
    """The training structures; every 20th with --quick."""
    return read(options.file(TRAIN), ":")[:: 20 if options.quick else 1]


def test(options) -> list:
    """The test structures."""
    return read(options.file(TEST), ":")


def split(frames) -> tuple[list, list]:
    """Four fifths and one fifth of frames, drawn with a fixed seed: settings are chosen on it."""
    order = np.random.default_rng(SEED).permutation(len(frames))
    out = set(order[: max(len(frames) // 5, 1)].tolist())
    return (
        [a for k, a in enumerate(frames) if k not in out],
        [a for k, a in enumerate(frames) if k in out],
    )


def train_file(options, *, stress: bool):
    """Path of the training set as a file, with or without its stresses."""
    path = options.cached(f"train{'-stress' if stress else ''}.xyz")
    if not path.exists():
        frames = train(options)
        for atoms in frames:
            if not stress:
                atoms.info.pop("REF_stress")
        write(path, frames)
    return path


def errors(frames, energies, forces) -> dict:
    """RMSE of the energy (meV/atom) and of force components (eV/A)."""
    de = [(e - a.info["REF_energy"]) / len(a) for a, e in zip(frames, energies)]
    df = np.concatenate([f - a.arrays["REF_forces"] for a, f in zip(frames, forces)])
    return {
        "energy_rmse": 1e3 * float(np.sqrt(np.mean(np.square(de)))),
        "forces_rmse": float(np.sqrt(np.mean(df**2))),
    }


def test_errors(options, calculator) -> dict:
    """Test errors of an ASE calculator."""
    frames, energies, forces = test(options), [], []
    for atoms in frames:
        moved = atoms.copy()
        moved.calc = calculator
        energies.append(moved.get_potential_energy())
        forces.append(moved.get_forces())
    return errors(frames, energies, forces)


def choose(candidates, errors_of) -> tuple:
    """The candidate with the smallest product of the two errors on structures left out."""
    found = [(c, errors_of(c)) for c in candidates]
    return min(found, key=lambda f: f[1]["energy_rmse"] * f[1]["forces_rmse"])
