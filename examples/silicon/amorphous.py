"""Melt silicon, quench it, and look at the amorphous solid, with the force sigma of every step.

    python examples/silicon/amorphous.py -o DIR [--model MODEL.gapy] [--quick]

216 atoms at the density of the crystal melt at 3000 K, cool to 300 K in 12 ps and stay there.
The picture has the largest and the mean force sigma along the way, and the pair distributions. A
quench of picoseconds leaves more atoms with three or five neighbours than a real sample has.
"""

import matplotlib.pyplot as plt
import numpy as np
from ase.build import bulk
from ase.io import read
from ase.neighborlist import neighbor_list
from silicon import options, picture, potential, said

import gapy

TIMESTEP = 2.0  # fs
BOND = 2.85  # A, between the first two shells


def pair_distribution(frames, r_max: float = 7.0, bins: int = 140):
    """(r, g(r)) of a list of structures."""
    edges = np.linspace(0.0, r_max, bins + 1)
    counts = sum(np.histogram(neighbor_list("d", a, r_max), edges)[0] for a in frames)
    shell = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    atoms = frames[0]
    ideal = len(frames) * len(atoms) ** 2 / atoms.get_volume() * shell
    return 0.5 * (edges[1:] + edges[:-1]), counts / ideal


def neighbours(frames) -> dict[int, float]:
    """{number of neighbours: share of the atoms}."""
    found = np.concatenate(
        [np.bincount(neighbor_list("i", a, BOND), minlength=len(a)) for a in frames]
    )
    return {int(n): float(np.mean(found == n)) for n in np.unique(found)}


def main() -> None:
    given = options(__doc__)
    model = potential(given)
    calculator = model.calculator(uncertainty=True)
    atoms = bulk("Si", cubic=True, a=5.40).repeat(2 if given.quick else 3)
    size = 0.01 if given.quick else 1.0
    stages = (  # name, K at the start and the end, ps
        ("crystal", 300, 300, 1.0),
        ("melt", 3000, 3000, 3.0),
        ("quench", 3000, 300, 12.0),
        ("amorphous", 300, 300, 2.0),
    )
    logs, last = [], {}
    for name, first, end, ps in stages:
        run = gapy.run_md(
            atoms, calculator, given.output / name, temperature=first, temperature_end=end,
            steps=int(size * 1000.0 * ps / TIMESTEP), timestep=TIMESTEP, seed=given.seed,
            overwrite=True,
        )  # fmt: skip
        said(f"{name}: {run.reason}; largest force sigma {run.max_force_std:.2f} eV/A")
        atoms, last[name] = run.atoms, read(run.trajectory_path, index="-50:")
        logs.append(run.log_path)
    shares = neighbours(last["amorphous"])
    said("neighbours: " + ", ".join(f"{n}: {100 * share:.1f} %" for n, share in shares.items()))

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    began = 0.0
    for log in logs:
        rows = np.genfromtxt(log, delimiter=",", names=True)
        ps = began + rows["time_fs"] / 1000.0
        left.plot(ps, rows["max_force_std_eV_per_A"], color="C0", lw=0.8)
        left.plot(ps, rows["mean_force_std_eV_per_A"], color="C1", lw=0.8)
        began = ps[-1]
    left.legend(left.lines[:2], ["largest of all atoms", "mean"], frameon=False)
    left.set(xlabel="time (ps)", ylabel="force sigma (eV/Å)", ylim=(0, None))
    for k, name in enumerate(("crystal", "melt", "amorphous")):
        r, g = pair_distribution(last[name])
        right.plot(r, np.minimum(g, 12.0) + 4.0 * k, label=name, lw=1.2)
    right.set(xlabel="r (Å)", ylabel="g(r), shifted by 4 each", xlim=(1.8, 7.0))
    right.legend(frameon=False)
    picture(figure, given, "amorphous.png")


if __name__ == "__main__":
    main()
