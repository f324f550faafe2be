"""How well could any sigma find large errors? A forest that is told the errors of the group itself.

    python benchmarks/ceiling.py no-vacancy --data DIR [--n-inducing 500]

The rows of `uncertainty.py` that leave a group out ask a sigma to find large force errors that
it has never seen. Here a random forest learns the squared errors of the test structures and of the
group, by all indicators of gapy and by coordination, nearest distance, density and predicted force
of each atom, and is judged on structures left out of its training (8 folds). What it does not find
does not follow from the environment in any way that these features show: it is no measure for a
sigma that knows no errors of the group.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupKFold
from uncertainty import EXTRAPOLATION, THRESHOLD, VANISHES, case_of, groups_of, regressor

from gapy.model import engine
from gapy.model.arrays import gathered
from gapy.validation.reliability import auroc

BOND = 1.2
"""Neighbours within so many times the nearest distance of a structure count as bonded."""


def features(potential, structures):
    """(features, rms force error, whether the force may differ from zero, structure) of atoms."""
    rows, errors, told, of = [], [], [], []
    descriptor = potential.terms[0].descriptor
    for k, s in enumerate(structures):
        if s.forces is None:
            continue
        n = len(s.atoms)
        pairs, envs = potential.neighbourhood(s.atoms)
        out = engine.evaluate(potential.energy_blocks, envs, n, potential.indicator_blocks)
        env = envs[id(descriptor)]
        i = env.atom_i[np.repeat(np.arange(n), np.diff(env.first_i))]
        r = np.linalg.norm(env.r_pc, axis=1)
        nearest = np.full(n, descriptor.cutoff)
        np.minimum.at(nearest, i, r)
        bonded = np.bincount(i[r < BOND * nearest.min()], minlength=n)
        density = np.bincount(i, (1.0 - r / descriptor.cutoff) ** 2, minlength=n)
        own = np.stack([out.first, out.distances, out.variances], axis=1)
        beyond = np.log1p(out.excess)[:, None] ** 2
        indicators = gathered(
            potential, np.column_stack([own, beyond]), s.atoms.numbers, pairs, out.forces
        )
        around = np.stack(indicators, axis=1)
        logs = np.log(np.maximum(np.concatenate([own, around], axis=1), 1e-30))
        rows.append(np.column_stack([logs, bonded, nearest, density]))
        errors.append(np.sqrt(((out.forces - s.forces) ** 2).mean(axis=1)))
        told.append(np.abs(s.forces).max(axis=1) > VANISHES)
        of.append(np.full(n, k))
    return tuple(np.concatenate(part) for part in (rows, errors, told, of))


def main() -> None:
    """Print the AUROC of sigma and of the forest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("GAPY_BENCH_DATA")
    parser.add_argument("name", choices=EXTRAPOLATION)
    parser.add_argument("--data", type=Path, default=Path(default) if default else None)
    parser.add_argument("--n-inducing", type=int, default=500)
    arguments = parser.parse_args()
    case = case_of(arguments.name)
    train, near, far = groups_of(EXTRAPOLATION[arguments.name], case, arguments.data)
    gp = regressor(case, train, arguments.n_inducing, optimize=True).fit(train)
    x, error, told, of = features(gp.potential_, [*near, *far])
    rmse = np.sqrt((error[of < len(near)] ** 2).mean())
    large = error > THRESHOLD * rmse
    guess = np.empty(len(error))
    for fitted, held in GroupKFold(8).split(x, error, of):
        forest = RandomForestRegressor(300, min_samples_leaf=10, random_state=0)
        guess[held] = forest.fit(x[fitted], error[fitted] ** 2).predict(x[held])
    sigma = np.concatenate(
        [
            gp.potential_.evaluate(s.atoms, force_std=True).forces_std
            for s in [*near, *far]
            if s.forces is not None
        ]
    )
    print(f"{large.sum()} of {len(error)} atoms err by more than {THRESHOLD * rmse:.3f} eV/A")
    for name, value in (("sigma", sigma), ("forest told the errors", guess)):
        print(
            f"{name}: AUROC {auroc(value, large):.3f}, moving {auroc(value[told], large[told]):.3f}"
        )


if __name__ == "__main__":
    main()
