"""The melting point by two phases, where it is known: silicon of Stillinger and Weber.

    python benchmarks/melting.py [--supercell N] [--steps N] [--seeds N] [--only reference|gapy]

That model melts at 1691 +- 20 K (free energies: Broughton and Li, Phys. Rev. B 35, 9120 (1987)).
`gapy.properties.melting` is asked of matscipy's calculator of it, which tests the method, and of
what `gapy fit` makes of its labels on FRAMES boxes of 64 atoms of either phase, which tests a
potential that learnt it. Printed: the temperatures tried, and the last interval.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from ase import units
from ase.build import bulk
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from matscipy.calculators.manybody import Manybody
from matscipy.calculators.manybody.explicit_forms import StillingerWeber
from matscipy.calculators.manybody.explicit_forms.stillinger_weber import (
    Stillinger_Weber_PRB_31_5262_Si,
)
from short_range import fitted

from gapy.errors import PropertyError
from gapy.properties.melting_point import melting
from gapy.structures import from_atoms

LATTICE = 5.431
FRAMES = 30
"""Of each phase."""
KNOWN = 1691.0


def reference() -> Manybody:
    return Manybody(**StillingerWeber(Stillinger_Weber_PRB_31_5262_Si))


def labelled(seed: int = 0) -> list:
    """Crystals of 300 to 2000 K and liquids of 1500 to 3200 K, at volumes around those at rest."""
    rng = np.random.default_rng(seed)
    out = []
    for phase, (low, high), (least, most) in (
        ("crystal", (300, 2000), (0.97, 1.06)), ("liquid", (1500, 3200), (0.88, 1.06)),
    ):  # fmt: skip
        atoms = bulk("Si", a=LATTICE, cubic=True).repeat(2)
        atoms.calc = reference()
        if phase == "liquid":
            run(atoms, 5000.0, 800, rng)
        for _ in range(FRAMES):
            volume = rng.uniform(least, most) * 8 * LATTICE**3
            atoms.set_cell(np.eye(3) * volume ** (1 / 3), scale_atoms=True)
            run(atoms, rng.uniform(low, high), 150, rng)
            frame = atoms.copy()
            frame.info = {
                "REF_energy": atoms.get_potential_energy(),
                "REF_stress": atoms.get_stress(),
                "config_type": phase,
            }
            frame.arrays["REF_forces"] = atoms.get_forces()
            out.append(frame)
    return out


def run(atoms, kelvin: float, steps: int, rng) -> None:
    MaxwellBoltzmannDistribution(atoms, temperature_K=kelvin, rng=rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        dynamics = Langevin(
            atoms, 1.5 * units.fs, temperature_K=kelvin, friction=0.02 / units.fs, rng=rng
        )
        dynamics.run(steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--supercell", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--halvings", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", choices=("reference", "gapy"))
    given = parser.parse_args()
    calculators = {}
    if given.only != "reference":
        potential = fitted(from_atoms(labelled(), source="Stillinger-Weber"))
        calculators["gapy"] = potential.calculator()
    if given.only != "gapy":
        calculators["Stillinger-Weber itself"] = reference()
    for name, calculator in calculators.items():
        for seed in range(given.seeds):
            began = time.process_time()
            try:
                found = melting(
                    calculator, bulk("Si", a=LATTICE), low=1000.0, high=2600.0, seed=seed,
                    halvings=given.halvings, steps=given.steps, supercell=given.supercell,
                )  # fmt: skip
            except PropertyError as error:
                print(f"{name}, seed {seed}: {error}", flush=True)
                continue
            tried = ", ".join(f"{k:.0f}: {v:+.2f}" for k, v in sorted(found.tried.items()))
            print(
                f"{name}, seed {seed}, {len(found.start)} atoms: {found.temperature:.0f} +- "
                f"{found.within:.0f} K (known {KNOWN:.0f}); grew by {tried}; "
                f"{time.process_time() - began:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
