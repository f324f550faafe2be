"""Cheap molecular dynamics that proposes snapshots for the DFT labels.

The sampler only has to visit plausible structures; its energies are never used.
Every snapshot is the end of its own run with its own seed, so no two snapshots
share a history.  Units: eV, A, fs, K.
"""

from ase import units
from ase.calculators.tersoff import Tersoff, TersoffParameters
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

# Silicon, J. Tersoff, Phys. Rev. B 38, 9902 (1988).
SI = {
    "A": 1830.8,
    "B": 471.18,
    "lambda1": 2.4799,
    "lambda2": 1.73222,
    "lambda3": 0.0,
    "beta": 1.1e-6,
    "n": 0.78734,
    "c": 1.0039e5,
    "d": 16.217,
    "h": -0.59825,
    "m": 3.0,
    "gamma": 1.0,
    "R": 2.85,
    "D": 0.15,
}
SI_LATTICE = 5.432


def silicon():
    """Tersoff silicon."""
    return Tersoff({("Si", "Si", "Si"): TersoffParameters(**SI)})


def stretched(species, lattice, like_weakening):
    """Tersoff silicon stretched to another lattice constant, as a two-species stand-in.

    lattice is in A.  The attraction between like atoms is multiplied by
    ``like_weakening`` so that a hot run prefers unlike neighbours.
    """
    scale = lattice / SI_LATTICE
    base = dict(SI)
    base.update(
        lambda1=SI["lambda1"] / scale,
        lambda2=SI["lambda2"] / scale,
        R=SI["R"] * scale,
        D=SI["D"] * scale,
    )
    table = {}
    for one in species:
        for two in species:
            for three in species:
                entry = dict(base)
                if one == two:
                    entry["B"] *= like_weakening
                table[(one, two, three)] = TersoffParameters(**entry)
    return Tersoff(table)


def snapshot(start, calculator, temperature, rng, steps=200, timestep=2.0, friction=0.02):
    """Return the structure at the end of one Langevin run from ``start``.

    temperature in K, timestep in fs, friction in 1/fs: 200 steps are eight
    relaxation times.
    """
    atoms = start.copy()
    atoms.calc = calculator
    atoms.rattle(0.02, rng=rng)
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temperature, rng=rng)
    Langevin(
        atoms,
        timestep * units.fs,
        temperature_K=temperature,
        friction=friction / units.fs,
        fixcm=True,
        rng=rng,
    ).run(steps)
    end = start.copy()
    end.positions = atoms.positions
    end.wrap(eps=1e-9)
    return end
