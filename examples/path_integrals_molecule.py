"""Path-integral molecular dynamics of a molecule by i-PI: the kinetic energy of quantum nuclei.

    python examples/path_integrals_molecule.py -o DIR [--temperature 300] [--beads 32]
        [--steps 12000] [--model MODEL.gapy --start START.xyz] [--quick]

Without --model, a potential of one water molecule is fitted to energies and forces of the
intramolecular part of q-TIP4P/F (Habershon, Markland and Manolopoulos, J. Chem. Phys. 131, 024501
(2009)), so that nothing but gapy and i-PI is needed. Then i-PI moves a ring polymer with a
PILE thermostat and gapy inside its process, and its centroid virial estimator of the kinetic
energy is compared with

    classical            (3/2) N k_B T
    harmonic, P beads    (k_B T / 2) sum_modes sum_k w^2 / (w^2 + w_k^2),
                         w_k = (2 P k_B T / hbar) sin(k pi / P)
    harmonic, exact      sum_modes (hbar w / 4) coth(hbar w / 2 k_B T)

with the vibrations w of the model at its minimum; a mode without one (translation, rotation) has
k_B T / 2. What is left between the second line and i-PI is anharmonic.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.optimize import BFGS

import gapy
from gapy.descriptors import smooth_soap
from gapy.engines.ipi import pes

KCAL = units.kcal / units.mol
DEPTH, WIDTH, LENGTH = 116.09 * KCAL, 2.287, 0.9419  # eV, 1/A, A: an O-H bond
STIFFNESS, ANGLE = 87.85 * KCAL, np.radians(107.4)  # eV/rad^2, rad: the angle between two
HBAR = units._hbar * units.J * units.s  # eV ASE time
TIMESTEP = 0.25  # fs
INPUT = """<simulation verbosity='low'>
  <output prefix='run'>
    <properties filename='out' stride='4'>
      [ time{{picosecond}}, kinetic_cv{{electronvolt}}, potential{{electronvolt}} ]
    </properties>
    <trajectory filename='sigma' stride='40' extra_type='max_force_std'> extras </trajectory>
  </output>
  <total_steps> {steps} </total_steps>
  <prng><seed> {seed} </seed></prng>
  <ffdirect name='gapy'>
    <pes> custom </pes><pes_path> {pes} </pes_path>
    <parameters> {{model: {model}, start: start.extxyz}} </parameters>
  </ffdirect>
  <system>
    <initialize nbeads='{beads}'>
      <file mode='xyz'> start.xyz </file>
      <velocities mode='thermal' units='kelvin'> {temperature} </velocities>
    </initialize>
    <forces><force forcefield='gapy'> </force></forces>
    <motion mode='dynamics'>
      <fixcom> False </fixcom>
      <dynamics mode='nvt'>
        <timestep units='femtosecond'> {timestep} </timestep>
        <thermostat mode='pile_l'><tau units='femtosecond'> 50 </tau></thermostat>
      </dynamics>
    </motion>
    <ensemble><temperature units='kelvin'> {temperature} </temperature></ensemble>
  </system>
</simulation>
"""


def water_energy(positions: np.ndarray) -> float:
    """Energy (eV) of O, H, H at positions (3, 3) A."""
    bonds = positions[1:] - positions[0]
    lengths = np.linalg.norm(bonds, axis=1)
    x = WIDTH * (lengths - LENGTH)
    angle = np.arccos(bonds[0] @ bonds[1] / lengths.prod())
    return float(
        DEPTH * (x**2 - x**3 + 7.0 / 12.0 * x**4).sum() + 0.5 * STIFFNESS * (angle - ANGLE) ** 2
    )


def water(n: int, rng: np.random.Generator) -> list[Atoms]:
    """Labelled molecules, bonds and angle as wide as quantum nuclei reach, and the minimum."""
    out, step = [], 1e-4
    for k in range(n):
        lengths = LENGTH + (rng.uniform(-0.22, 0.38, 2) if k else 0.0)
        angle = ANGLE + (rng.uniform(-0.7, 0.7) if k else 0.0)
        a, b = np.broadcast_to(lengths, 2)
        positions = np.array(
            [[0, 0, 0], [a, 0, 0], [b * np.cos(angle), b * np.sin(angle), 0.0]]
        ) + rng.normal(scale=1e-3, size=(3, 3))
        forces = np.empty((3, 3))
        for at in np.ndindex(3, 3):
            sides = []
            for sign in (1, -1):
                moved = positions.copy()
                moved[at] += sign * step
                sides.append(water_energy(moved))
            forces[at] = -(sides[0] - sides[1]) / (2.0 * step)
        atoms = Atoms("OHH", positions)
        atoms.info["REF_energy"] = water_energy(positions)
        atoms.arrays["REF_forces"] = forces
        out.append(atoms)
    return out


def fitted(n: int, seed: int) -> tuple[gapy.Potential, Atoms]:
    """A potential of water and a molecule near its minimum."""
    frames = water(n, np.random.default_rng(seed))
    soap = smooth_soap(["H", "O"], r_cut=3.0, n_max=6, l_max=4, sigma=0.3)
    gp = gapy.SparseGPRegressor(soap, n_inducing=150, zeta=3, optimize=True, seed=seed)
    gp.fit(frames)
    test = water(50, np.random.default_rng(seed + 1))
    error = [gp.potential_.evaluate(a).forces - a.arrays["REF_forces"] for a in test]
    print(f"fitted to {n} molecules; force RMSE of 50 others {np.std(error):.4f} eV/A")
    return gp.potential_, Atoms("OHH", frames[0].positions)


def vibrations(potential, atoms: Atoms) -> tuple[Atoms, np.ndarray]:
    """The minimum, and the angular frequencies (1/ASE time) of all its modes, 0 for free ones."""
    atoms = atoms.copy()
    atoms.calc = potential.calculator()
    BFGS(atoms, logfile=None).run(fmax=1e-4, steps=500)
    step, n = 1e-3, 3 * len(atoms)
    minimum, hessian = atoms.positions.copy(), np.empty((n, n))
    for k in range(n):
        sides = []
        for sign in (1, -1):
            atoms.positions[:] = minimum
            atoms.positions.flat[k] += sign * step
            sides.append(atoms.get_forces().ravel())
        hessian[k] = -(sides[0] - sides[1]) / (2.0 * step)
    atoms.positions[:] = minimum
    masses = np.repeat(atoms.get_masses(), 3)
    of = np.linalg.eigvalsh(0.5 * (hessian + hessian.T) / np.sqrt(np.outer(masses, masses)))
    free = 5 if is_linear(minimum) else 6
    return atoms, np.concatenate([np.zeros(free), np.sqrt(np.maximum(of[free:], 0.0))])


def is_linear(positions: np.ndarray) -> bool:
    """Whether all atoms are on a line."""
    return bool(np.linalg.svd(positions - positions.mean(axis=0))[1][1] < 1e-3)


def harmonic(frequencies: np.ndarray, temperature: float, beads: int | None = None) -> float:
    """Kinetic energy (eV) of quantum harmonic modes, of ring polymers with so many beads."""
    kt = units.kB * temperature
    free = 0.5 * kt * np.sum(frequencies == 0.0)
    w = frequencies[frequencies > 0.0]
    if beads is None:
        return float(free + np.sum(0.25 * HBAR * w / np.tanh(0.5 * HBAR * w / kt)))
    rings = 2.0 * beads * kt / HBAR * np.sin(np.pi * np.arange(beads) / beads)
    return float(free + 0.5 * kt * np.sum(w[:, None] ** 2 / (w[:, None] ** 2 + rings**2)))


def run(folder: Path, model: Path, atoms: Atoms, given) -> dict:
    """i-PI from the minimum; mean kinetic energy (eV) and its error from blocks."""
    ase.io.write(folder / "start.extxyz", Atoms(atoms.numbers, atoms.positions))
    box = "# CELL(abcABC): 50 50 50 90 90 90 cell{angstrom} positions{angstrom}"
    lines = [str(len(atoms)), box]
    lines += [
        f"{s} {x:.9f} {y:.9f} {z:.9f}" for s, (x, y, z) in zip(atoms.symbols, atoms.positions)
    ]
    (folder / "start.xyz").write_text("\n".join(lines) + "\n")
    text = INPUT.format(
        steps=given.steps, seed=given.seed, pes=pes.__file__, model=model.resolve(),
        beads=given.beads, temperature=given.temperature, timestep=TIMESTEP,
    )  # fmt: skip
    (folder / "input.xml").write_text(text)
    program = Path(sys.executable).parent / "i-pi"
    with open(folder / "log", "w") as log:
        subprocess.run([program, "input.xml"], cwd=folder, stdout=log, stderr=log, check=True)
    kinetic = np.loadtxt(folder / "run.out")[:, 1]
    kinetic = kinetic[len(kinetic) // 5 :]
    blocks = [block.mean() for block in np.array_split(kinetic, 10)]
    lines = [x for f in folder.glob("run.sigma_*") for x in f.read_text().splitlines()]
    sigma = max(float(line) for line in lines if "#" not in line)
    return {
        "kinetic": float(kinetic.mean()),
        "error": float(np.std(blocks, ddof=1) / np.sqrt(len(blocks))),
        "largest_force_std": sigma,
    }


def main() -> None:
    """Fit or load, run, print, write DIR/kinetic.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", type=Path, help="a model without periodic directions")
    parser.add_argument("--start", type=Path, help="the molecule of the model")
    parser.add_argument("--temperature", type=float, default=300.0, help="K")
    parser.add_argument("--beads", type=int, default=32)
    parser.add_argument("--steps", type=int, default=12000, help=f"of {TIMESTEP} fs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a test of the script")
    given = parser.parse_args()
    if (given.model is None) != (given.start is None):
        parser.error("--model and --start: expected both or none")
    if given.quick:
        given.beads, given.steps = 8, 600
    given.output.mkdir(parents=True, exist_ok=True)
    if given.model is None:
        potential, atoms = fitted(150 if given.quick else 400, given.seed)
        given.model = given.output / "water.gapy"
        potential.save(given.model)
    else:
        potential, atoms = gapy.load(given.model), ase.io.read(given.start)
    atoms, frequencies = vibrations(potential, atoms)
    wave = units._c * 100.0 / units.s  # cm per ASE time
    shown = " ".join(f"{w / (2.0 * np.pi * wave):.0f}" for w in frequencies[frequencies > 0.0])
    print(f"vibrations: {shown} 1/cm")
    found = run(given.output, given.model, atoms, given)
    result = {
        "classical": 1.5 * len(atoms) * units.kB * given.temperature,
        "harmonic_beads": harmonic(frequencies, given.temperature, given.beads),
        "harmonic": harmonic(frequencies, given.temperature),
        "beads": given.beads,
        **found,
    }
    print(
        f"kinetic energy at {given.temperature:g} K\n"
        f"  classical                 {result['classical']:.4f} eV\n"
        f"  i-PI, {given.beads:3d} beads           {result['kinetic']:.4f} +- "
        f"{result['error']:.4f} eV\n"
        f"  harmonic, {given.beads:3d} beads       {result['harmonic_beads']:.4f} eV\n"
        f"  harmonic, exact           {result['harmonic']:.4f} eV\n"
        f"largest force sigma on the way {result['largest_force_std']:.4f} eV/A"
    )
    (given.output / "kinetic.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
