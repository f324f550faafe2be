"""The systems of the active-learning benchmarks: walkers, oracle, model, and reference dynamics."""

import functools

import numpy as np
from ase import Atoms, units
from ase.build import bulk, fcc111, molecule
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta

from gapy.active import MD, GPModel, Initial, Oracle, Policy
from gapy.active.labels import Label
from gapy.active.store import labelled

NAMES = ("cuau", "phases", "ethanol", "rotamers")
MOLECULES = ("ethanol", "rotamers")
SOLID = {"temperature": 300, "temperature_end": 1000, "timestep": 2.0}
COOLED = {"temperature": 1000, "temperature_end": 300, "timestep": 2.0}
LIQUID = {"temperature": 2500, "temperature_end": 2000, "timestep": 2.0}
ROOM = {"temperature": 300, "temperature_end": 300, "timestep": 1.0}
HOT = {"temperature": 1800, "temperature_end": 1200, "timestep": 0.5}
RARE = ("vacancy", "surface", "liquid", "trans hot", "gauche hot")


class System:
    """One system: `walkers()`, `oracle()`, `model(seed)`, `policy()`, `calculator()`.

    cuau : one random CuAu crystal of 16 atoms, two walkers, 300 to 1000 K
    phases : Cu and Au in eight guises, one walker each; see `phases`
    ethanol : one molecule, two walkers, 300 to 600 K, GFN2-xTB
    rotamers : both conformers of ethanol, each at 300 K and, as a rare excursion, cooled from
        1800 to 1200 K, one walker each, GFN2-xTB
    """

    def __init__(self, name, rare=1.0):
        if name not in NAMES:
            raise SystemExit(f"system: expected one of {', '.join(NAMES)}, got {name}")
        self.name = name
        self.rare = rare
        self.is_molecule = name in MOLECULES

    def starts(self):
        """{group: (start structure, schedule)}."""
        if self.name == "phases":
            return phases()
        if self.name == "rotamers":
            return rotamers()
        if self.name == "ethanol":
            schedule = {"temperature": 300, "temperature_end": 600, "timestep": 0.5}
            return {"ethanol": (molecule("CH3CH2OH"), schedule)}
        return {"alloy": (alloy(0), SOLID)}

    def walkers(self, ps):
        each = 1 if self.name in ("phases", "rotamers") else 2
        return [
            MD(atoms, ps=ps * self.share(group), **schedule)
            for group, (atoms, schedule) in self.starts().items()
            for _ in range(each)
        ]

    def share(self, group):
        """Of the simulated time: `rare` for what MD spends little in."""
        return self.rare if group in RARE else 1.0

    def calculator(self):
        if self.is_molecule:
            from tblite.ase import TBLite

            return TBLite(method="GFN2-xTB", verbosity=0)
        return EMT()

    def oracle(self):
        if self.is_molecule:
            return Oracle("tblite.ase.TBLite", {"method": "GFN2-xTB", "verbosity": 0})
        return Oracle("ase.calculators.emt.EMT")

    def model(self, seed, **settings):
        if self.is_molecule:
            points = 1 if self.name == "ethanol" else 3
            return GPModel(
                ["C", "H", "O"], r_cut=4.0, n_max=5, l_max=4, sigma_forces=0.02,
                n_inducing={"H": 300 * points, "C": 150 * points, "O": 100 * points}, seed=seed,
                **settings,
            )  # fmt: skip
        return GPModel(
            ["Au", "Cu"], r_cut=5.0, n_max=5, l_max=4, sigma_forces=0.02, seed=seed,
            n_inducing=600 if self.name == "phases" else 300, **settings,
        )  # fmt: skip

    def policy(self, threshold=None, **settings):
        default = 0.25 if self.is_molecule else 0.06
        return Policy(max_force_std=threshold or default, **{"batch": 2, **settings})

    def initial(self):
        return Initial(rattles=6)

    def beginning(self, seed):
        """Labelled structures to begin with: one rattled copy of every start, at least four."""
        starts = [atoms for atoms, _ in self.starts().values()]
        scale = 0.05 if self.name == "rotamers" else 0.1  # A; bonds to hydrogen are stiff
        rng = np.random.default_rng([seed, 7])
        out = []
        for k in range(max(len(starts), 4)):
            atoms = starts[k % len(starts)].copy()
            atoms.positions += rng.normal(scale=scale, size=atoms.positions.shape)
            out.append(self.label(atoms))
        return out

    def label(self, atoms):
        """A copy with the labels of the oracle, computed here."""
        work = atoms.copy()
        work.calc = self.calculator()
        forces = work.get_forces()
        stress = work.get_stress() if work.pbc.all() else None
        return labelled(work, Label(float(work.get_potential_energy()), forces, stress, 0.0))

    def dynamics(self, ps, n_frames, seed):
        """{group: labelled frames} of the oracle's own dynamics over the same ramps, in `ps`."""
        out = {}
        for k, (group, (start, schedule)) in enumerate(self.starts().items()):
            atoms = start.copy()
            atoms.calc = self.calculator()
            rng = np.random.default_rng([seed, k])
            begin, end = schedule["temperature"], schedule["temperature_end"]
            thermalize_momenta(atoms, temperature_K=begin, rng=rng)
            steps = int(1000 * ps * self.share(group) / schedule["timestep"])
            md = Langevin(
                atoms, schedule["timestep"] * units.fs, temperature_K=begin,
                friction=0.01 / units.fs, fixcm=False, rng=rng,
            )  # fmt: skip
            out[group] = []
            for frame in range(1, n_frames + 1):
                md.set_temperature(temperature_K=begin + frame / n_frames * (end - begin))
                md.run(steps // n_frames)
                out[group].append(self.label(atoms))
        return out


def alloy(seed, *, a=3.9):
    """CuAu, 16 atoms on an fcc lattice in random order."""
    atoms = bulk("Cu", a=a, cubic=True).repeat((2, 2, 1))
    atoms.symbols[np.random.default_rng(seed).permutation(16)[:8]] = "Au"
    return atoms


def melt():
    """CuAu, molten: 1 ps at 3000 K from the lattice."""
    atoms = alloy(0, a=4.06)
    atoms.calc = EMT()
    rng = np.random.default_rng(3)
    thermalize_momenta(atoms, temperature_K=3000, rng=rng)
    Langevin(
        atoms, 2.0 * units.fs, temperature_K=3000, friction=0.01 / units.fs, fixcm=False, rng=rng
    ).run(500)  # fmt: skip
    return Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)


@functools.cache
def phases():
    """{group: (start, schedule)}: what there is to know of an alloy, 15 or 16 atoms each."""
    copper = bulk("Cu", a=3.61, cubic=True).repeat((2, 2, 1))
    gold = bulk("Au", a=4.08, cubic=True).repeat((2, 2, 1))
    layered = bulk("Cu", a=3.87, cubic=True)
    layered.symbols[np.abs(layered.positions[:, 2]) < 0.1] = "Au"
    ordered = bulk("Cu", a=3.75, cubic=True)
    ordered.symbols[0] = "Au"
    vacancy = alloy(0)
    del vacancy[5]
    surface = fcc111("Cu", (2, 2, 4), a=3.9, vacuum=5.0, periodic=True)
    surface.symbols[np.random.default_rng(1).permutation(16)[:8]] = "Au"
    return {
        "Cu": (copper, COOLED),
        "Au": (gold, COOLED),
        "L1_0 CuAu": (layered.repeat((2, 2, 1)), COOLED),
        "L1_2 Cu3Au": (ordered.repeat((2, 2, 1)), COOLED),
        "random CuAu": (alloy(0), COOLED),
        "vacancy": (vacancy, COOLED),
        "surface": (surface, COOLED),
        "liquid": (melt(), LIQUID),
    }


@functools.cache
def rotamers():
    """{group: (start, schedule)} of ethanol, C-C-O-H trans or gauche."""
    trans = molecule("CH3CH2OH")
    gauche = trans.copy()
    gauche.set_dihedral(0, 1, 2, 3, 60, indices=[3])
    starts = {"trans": trans, "gauche": gauche}
    out = {name: (atoms, ROOM) for name, atoms in starts.items()}
    return out | {f"{name} hot": (atoms, HOT) for name, atoms in starts.items()}


def force_errors(potential, frames):
    """(RMSE per component, 99th percentile of the component errors), eV/A."""
    errors = np.concatenate(
        [(potential.evaluate(f).forces - f.arrays["REF_forces"]).ravel() for f in frames]
    )
    return float(np.sqrt((errors**2).mean())), float(np.quantile(np.abs(errors), 0.99))
