"""Print what a finished data set says of itself: python check.py FILE.xyz

Equations of state, order of the phases, sums of forces, sizes of the labels, and the
distance from every test frame to its most alike training frame.
"""

import argparse

import numpy as np
from ase.eos import EquationOfState
from ase.io import read
from ase.neighborlist import neighbor_list

GPA = 160.21766  # 1 eV/A^3 in GPa
EXACT_LATTICE_FORCE = 2e-3  # eV/A


def equation_of_state(members, nearby=0.12):
    """Return volume (A^3/atom), energy (eV/atom) and bulk modulus (GPa) of an exact scan.

    Birch-Murnaghan through the points within ``nearby`` of the lowest one's volume; None if
    they are too few or the minimum lies outside them.
    """
    exact = [a for a in members if np.abs(a.arrays["REF_forces"]).max() < EXACT_LATTICE_FORCE]
    if not exact:
        return None
    volumes = np.array([a.get_volume() / len(a) for a in exact])
    energies = np.array([a.info["REF_energy"] / len(a) for a in exact])
    keep = np.abs(volumes / volumes[energies.argmin()] - 1) < nearby
    if keep.sum() < 4:
        return None
    volume, energy, modulus = EquationOfState(
        volumes[keep], energies[keep], eos="birchmurnaghan"
    ).fit()
    return volume, energy, modulus * GPA


def fingerprint(atoms, reach=5.0, bins=50):
    """Return smooth pair counts per atom by distance, one row for each pair of species."""
    first, second, distance = neighbor_list("ijd", atoms, reach)
    centres = np.linspace(1.5, reach, bins)
    kinds = atoms.numbers[first] * 100 + atoms.numbers[second]
    rows = []
    for kind in sorted({i * 100 + j for i in (13, 14, 33) for j in (13, 14, 33)}):
        d = distance[kinds == kind]
        rows.append(np.exp(-((centres[:, None] - d) ** 2) / (2 * 0.1**2)).sum(axis=1))
    return np.concatenate(rows) / len(atoms)


def nearest_training(frames):
    """Return, for every test frame, the smallest relative fingerprint distance to training."""
    train = [fingerprint(a) for a in frames if a.info["split"] == "train" and len(a) > 1]
    found = []
    for atoms in frames:
        if atoms.info["split"] == "test":
            own = fingerprint(atoms)
            gaps = [np.linalg.norm(own - other) for other in train]
            found.append((min(gaps) / np.linalg.norm(own), atoms.info["config_type"]))
    return sorted(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    frames = read(parser.parse_args().file, ":")
    groups = {}
    for atoms in frames:
        groups.setdefault(atoms.info["config_type"], []).append(atoms)

    alone = {a.symbols[0]: a.info["REF_energy"] for a in groups["IsolatedAtom"]}
    net = max(np.abs(a.arrays["REF_forces"].sum(axis=0)).max() for a in frames)
    print(f"largest net force on a cell: {net:.5f} eV/A")
    print("cohesion is the energy below the lone (unpolarised) atoms, eV/atom")
    for group, members in groups.items():
        forces = np.concatenate([a.arrays["REF_forces"].ravel() for a in members])
        cohesion = [
            (a.info["REF_energy"] - sum(alone[s] for s in a.symbols)) / len(a) for a in members
        ]
        line = f"{group}: {len(members)} frames, cohesion {min(cohesion):.3f}..{max(cohesion):.3f}"
        line += f", force rms {np.sqrt((forces**2).mean()):.3f} max {np.abs(forces).max():.2f}"
        fit = equation_of_state(members)
        if fit:
            line += f"; V0 {fit[0]:.3f} A^3/atom, E0 {fit[1]:.4f} eV/atom, B {fit[2]:.1f} GPa"
            if group in ("diamond_volume", "zincblende_volume"):
                line += f", a0 {(8 * fit[0]) ** (1 / 3):.4f} A"
        print(line)
    print("test frames nearest to training (relative fingerprint distance):")
    for distance, group in nearest_training(frames)[:8]:
        print(f"  {distance:.4f} {group}")


if __name__ == "__main__":
    main()
