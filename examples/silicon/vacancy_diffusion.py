"""A vacancy in silicon: the barrier of its jump with an error bar, and jumps counted in MD.

    python examples/silicon/vacancy_diffusion.py -o DIR [--model MODEL.gapy] [--quick]

The barrier is that of a nudged elastic band between two neighbouring vacancies in 63 atoms. At
both ends of it forces vanish, so the samples of the posterior, evaluated at these structures, give
its error bar. MD at three temperatures counts the jumps; the bar of a count n is its square root.
"""

import matplotlib.pyplot as plt
import numpy as np
from ase import units
from ase.build import bulk
from ase.io import read
from ase.mep import NEB
from ase.optimize import FIRE
from silicon import options, picture, potential, said, with_bars

import gapy
from gapy.properties import relax

TIMESTEP = 2.0  # fs
TEMPERATURES = (1000, 1200, 1400)


def path(calculator, crystal, quick: bool) -> list:
    """The relaxed images of a jump: atom 1, a neighbour of atom 0, goes where atom 0 was."""
    near = crystal.get_distances(0, range(1, len(crystal)), mic=True)
    neighbour = 1 + int(np.argmin(near))
    first = crystal.copy()
    last = crystal.copy()
    last.positions[neighbour] = crystal.positions[0]
    for atoms in (first, last):
        del atoms[0]
    ends = [relax(calculator, a, cell="fixed", force=0.02, same_phase=False).atoms
            for a in (first, last)]  # fmt: skip
    images = [ends[0], *(ends[0].copy() for _ in range(3 if quick else 5)), ends[1]]
    band = NEB(images, climb=True, allow_shared_calculator=True, method="improvedtangent")
    band.interpolate("idpp", mic=True)
    for image in images:
        image.calc = calculator
    FIRE(band, logfile=None).run(fmax=0.5 if quick else 0.04, steps=6 if quick else 400)
    return images


def profile(calculator, images) -> dict[str, float]:
    """Energies of the images above the first, eV."""
    energies = np.array([calculator.get_potential_energy(image) for image in images])
    return {str(k): float(e - energies[0]) for k, e in enumerate(energies)}


def jumps(frames, crystal) -> int:
    """How often the empty site changes and stays changed for three frames.

    The sites move with the atoms, which as a whole may drift.
    """
    empty = []
    for atoms in frames:
        shift = atoms.positions[:, None] - crystal.positions[None]  # [atom, site]
        shift -= np.round(shift @ np.linalg.inv(crystal.cell.array)) @ crystal.cell.array
        occupied = np.argmin((shift**2).sum(axis=2), axis=1)
        free = set(range(len(crystal))) - set(occupied.tolist())
        empty.append(free.pop() if len(free) == 1 else -1)
    steady = [e for e, f, g in zip(empty, empty[1:], empty[2:]) if e == f == g and e >= 0]
    return int(np.count_nonzero(np.diff(steady)))


def main() -> None:
    given = options(__doc__)
    model = potential(given)
    unit = relax(model.calculator(), bulk("Si", cubic=True), cell="isotropic").atoms
    crystal = unit.repeat(2)
    images = path(model.calculator(), crystal, given.quick)
    members = 2 if given.quick else 16
    bars = with_bars(model, profile, images, members=members)
    energies, sigma = np.array(list(bars.values())).T
    top = int(np.argmax(energies))
    said(f"barrier {energies[top]:.2f} +- {sigma[top]:.2f} eV")

    counts, largest = [], []
    steps = 40 if given.quick else 6000
    start = crystal[1:]
    for kelvin in TEMPERATURES:
        run = gapy.run_md(
            start, model.calculator(uncertainty=True), given.output / f"{kelvin}K",
            temperature=kelvin, steps=steps, timestep=TIMESTEP, seed=given.seed, overwrite=True,
            traj_interval=20,
        )  # fmt: skip
        counts.append(jumps(read(run.trajectory_path, index=":"), crystal))
        largest.append(run.max_force_std)
        ps = run.time_fs / 1000.0
        said(f"{kelvin} K: {counts[-1]} jumps in {ps:.0f} ps, {run.status}; "
             f"largest force sigma {run.max_force_std:.2f} eV/A")  # fmt: skip

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    left.errorbar(np.arange(len(images)), energies, yerr=sigma, fmt="o-", capsize=3)
    left.set(xlabel="image of the jump", ylabel="energy (eV)")
    rates = np.array(counts) / ps
    right.errorbar(TEMPERATURES, rates, yerr=np.sqrt(np.maximum(counts, 1)) / ps, fmt="o",
                   capsize=3, label="jumps in MD")  # fmt: skip
    t = np.linspace(TEMPERATURES[0], TEMPERATURES[-1], 50)
    through = rates.mean() / np.mean(np.exp(-energies[top] / units.kB / np.array(TEMPERATURES)))
    right.plot(t, through * np.exp(-energies[top] / units.kB / t), "C1-",
               label=f"Arrhenius, {energies[top]:.2f} eV")  # fmt: skip
    right.set(xlabel="temperature (K)", ylabel="jumps per ps", ylim=(0, None))
    right.legend(frameon=False)
    picture(figure, given, "vacancy_diffusion.png")


if __name__ == "__main__":
    main()
