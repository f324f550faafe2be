"""Random structure search for silicon: cells at random, relaxed, ranked with error bars.

    python examples/silicon/structure_search.py -o DIR [--model MODEL.gapy] [--quick]

Cells of 2 to 8 atoms with random shapes and places relax to a minimum of the model. Each has the
calibrated error bar of its energy. A search finds the holes of a potential, too: a low energy with
a wide bar asks for a label, not for belief, so both kinds are listed apart.
"""

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import write
from silicon import options, picture, potential, said

from gapy.errors import PropertyError
from gapy.properties import relax
from gapy.properties.phase import space_group

CLOSEST = 1.9  # A
BELIEVED = 0.03  # eV/atom, the widest error bar of an energy that counts


def random_cell(rng: np.random.Generator) -> Atoms:
    """2 to 8 atoms in a random cell of 14 to 24 A^3 per atom, none closer than CLOSEST."""
    while True:
        n = int(rng.integers(2, 9))
        lengths, cosines = rng.uniform(0.6, 1.4, 3), rng.uniform(-0.35, 0.35, 3)
        cell = np.linalg.cholesky(np.eye(3) + np.array(
            [[0.0, cosines[0], cosines[1]], [cosines[0], 0.0, cosines[2]],
             [cosines[1], cosines[2], 0.0]])) * lengths[:, None]  # fmt: skip
        cell *= np.cbrt(n * rng.uniform(14.0, 24.0) / np.linalg.det(cell))
        atoms = Atoms(f"Si{n}", cell=cell, pbc=True, scaled_positions=rng.random((n, 3)))
        distances = atoms.repeat(2).get_all_distances(mic=True)
        if distances[distances > 0.0].min() > CLOSEST:
            return atoms


def main() -> None:
    given = options(__doc__)
    model = potential(given)
    calculator = model.calculator()
    diamond = relax(calculator, bulk("Si"), cell="isotropic")
    ground = diamond.energy / 2
    rng = np.random.default_rng(given.seed)
    rows, lost = [], 0
    settings = {"same_phase": False, "force": 0.5 if given.quick else 0.02, "steps": 250}
    for _ in range(3 if given.quick else 60):
        try:
            end = relax(calculator, random_cell(rng), **settings).atoms
        except PropertyError:  # a shape that runs away, or a slow one
            lost += 1
            continue
        told = model.evaluate(end, force_std=True)
        n = len(end)
        rows.append(
            ((told.energy / n) - ground, told.energy_std / n, end.get_volume() / n,
             space_group(end) or 0, end)
        )  # fmt: skip
    if not rows:
        raise SystemExit("no random structure found a minimum; another --seed has others")
    rows.sort(key=lambda row: row[0])
    said(f"{len(rows)} minima, {lost} relaxations ended without one")
    for title, doubtful in (("believed", False), ("to be labelled", True)):
        kind = [row for row in rows if (row[1] > BELIEVED) == doubtful]
        said(f"{title}: {len(kind)}, the lowest of them")
        for energy, bar, volume, group, atoms in kind[:5]:
            print(f"{1e3 * energy:17.0f} +- {1e3 * bar:4.0f} meV/atom  {volume:5.2f} A^3/atom  "
                  f"space group {group:3d}  {len(atoms)} atoms")  # fmt: skip
    write(given.output / "found.extxyz", [row[-1] for row in rows])

    energy, bar, volume = (np.array([row[k] for row in rows]) for k in range(3))
    figure, ax = plt.subplots(figsize=(5.8, 3.8), layout="constrained")
    for label, colour, of in (
        ("believed", "C0", bar <= BELIEVED), ("to be labelled", "C1", bar > BELIEVED)
    ):  # fmt: skip
        ax.errorbar(volume[of], energy[of], yerr=bar[of], fmt="o", ms=4, color=colour,
                    ecolor=colour, elinewidth=0.6, label=label)  # fmt: skip
    ax.legend(frameon=False)
    ax.axhline(0.0, color="k", lw=0.6)
    ax.set(xlabel="volume (Å³/atom)", ylabel="energy above diamond (eV/atom)")
    picture(figure, given, "structure_search.png")


if __name__ == "__main__":
    main()
