"""The (001) surface of silicon: what dimers gain, and how sure the model is of each layer.

    python examples/silicon/surface.py -o DIR [--model MODEL.gapy] [--quick]

Slabs of sixteen layers, both surfaces alike: as cut and relaxed, and with rows of dimers. Surface
energies have error bars from posterior samples of the structures at rest. Then MD at 600 K tells
the force sigma of each layer.
"""

import matplotlib.pyplot as plt
import numpy as np
from ase.build import bulk, diamond100
from ase.io import read
from ase.units import J, m
from silicon import options, picture, potential, said, with_bars

import gapy
from gapy.properties import relax

VACUUM = 7.0  # A


def slab(a: float, layers: int, dimers: float = 0.0):
    """A 2 x 2 slab; atoms of each surface moved together in pairs by `dimers`, A."""
    atoms = diamond100("Si", (2, 2, layers), a=a, vacuum=VACUUM)
    atoms.pbc = True
    z = atoms.positions[:, 2]
    for layer in (z.max(), z.min()):
        ends = np.flatnonzero(np.abs(z - layer) < 0.1)
        along = int(np.argmax(np.ptp(backbonds(atoms, ends[0]), axis=0)[:2]) == 0)
        step = np.linalg.norm(atoms.cell[along]) / 2
        row = np.round(atoms.positions[ends, along] / step).astype(int) % 2
        side = np.where(row == row[0], 1.0, -1.0)
        atoms.positions[ends, along] += 0.5 * dimers * side
    return atoms


def backbonds(atoms, i: int) -> np.ndarray:
    """Vectors (2, 3) from a surface atom to the atoms below it."""
    vectors = atoms.get_distances(i, range(len(atoms)), mic=True, vector=True)
    length = np.linalg.norm(vectors, axis=1)
    return vectors[(length > 0.1) & (length < 2.6)]


def tension(calculator, slabs: dict, crystal) -> dict[str, float]:
    """Surface energies in J/m^2 of slabs at rest."""
    bulk_energy = calculator.get_potential_energy(crystal) / len(crystal)
    found = {}
    for name, atoms in slabs.items():
        area = 2.0 * np.linalg.norm(np.cross(atoms.cell[0], atoms.cell[1]))
        excess = calculator.get_potential_energy(atoms) - len(atoms) * bulk_energy
        found[name] = float(excess / area / (J / m**2))
    return found


def main() -> None:
    given = options(__doc__)
    model = potential(given)
    calculator = model.calculator()
    crystal = relax(calculator, bulk("Si"), cell="isotropic").atoms
    a = float(np.cbrt(4.0 * crystal.get_volume()))
    layers = 8 if given.quick else 16
    start = {"as cut": slab(a, layers), "dimers": slab(a, layers, dimers=1.5)}
    settings = {"cell": "fixed", "same_phase": False, "force": 0.5 if given.quick else 0.02}
    slabs = {name: relax(calculator, s, **settings).atoms for name, s in start.items()}
    bars = with_bars(model, tension, slabs, crystal, members=2 if given.quick else 16)
    for name, (value, bar) in bars.items():
        said(f"{name}: {value:.2f} +- {bar:.2f} J/m^2")

    run = gapy.run_md(
        slabs["dimers"], model.calculator(uncertainty=True), given.output / "md",
        temperature=600, steps=20 if given.quick else 4000, timestep=2.0, seed=given.seed,
        overwrite=True,
    )  # fmt: skip
    said(f"MD at 600 K: {run.status}, {run.reason}")
    frames = read(run.trajectory_path, index="1:")
    sigma = np.mean([np.sqrt((f.arrays["forces_std"] ** 2).mean(axis=1)) for f in frames], axis=0)

    figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained")
    at = np.arange(len(bars))
    value, bar = np.array(list(bars.values())).T
    axes[0].bar(at, value, yerr=bar, capsize=4, color="C0", alpha=0.7)
    axes[0].set_xticks(at, list(bars))
    axes[0].set_ylabel("surface energy (J/m²)")
    end = run.atoms
    shown = axes[1].scatter(end.positions[:, 1], end.positions[:, 2], c=sigma, s=60, cmap="viridis")
    axes[1].set(xlabel="y (Å)", ylabel="z (Å)", aspect="equal")
    figure.colorbar(shown, ax=axes[1], label="mean force sigma (eV/Å)")
    axes[2].plot(slabs["dimers"].positions[:, 2], sigma, ".")
    axes[2].set(xlabel="z (Å)", ylabel="mean force sigma (eV/Å)", ylim=(0, None))
    picture(figure, given, "surface.png")


if __name__ == "__main__":
    main()
