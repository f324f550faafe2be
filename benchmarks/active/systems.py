"""The systems of the active-learning benchmarks: walkers, oracle, model, and reference dynamics."""

import numpy as np
from ase import units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from gapy.active import MD, GPModel, Initial, Oracle, Policy
from gapy.active.labels import Label
from gapy.active.store import labelled


class System:
    """One system: `walkers()`, `oracle()`, `model(seed)`, `policy()`, `calculator()`."""

    def __init__(self, name):
        if name not in ("cuau", "ethanol"):
            raise SystemExit(f"system: expected cuau or ethanol, got {name}")
        self.name = name

    def start(self):
        if self.name == "ethanol":
            return molecule("CH3CH2OH")
        atoms = bulk("Cu", a=3.9, cubic=True).repeat((2, 2, 1))
        atoms.symbols[np.random.default_rng(0).permutation(16)[:8]] = "Au"
        return atoms

    def schedule(self):
        if self.name == "ethanol":
            return {"temperature": 300, "temperature_end": 600, "timestep": 0.5}
        return {"temperature": 300, "temperature_end": 1000, "timestep": 2.0}

    def walkers(self, ps, n=2):
        return [MD(self.start(), ps=ps, **self.schedule()) for _ in range(n)]

    def calculator(self):
        if self.name == "ethanol":
            from tblite.ase import TBLite

            return TBLite(method="GFN2-xTB", verbosity=0)
        return EMT()

    def oracle(self):
        if self.name == "ethanol":
            return Oracle("tblite.ase.TBLite", {"method": "GFN2-xTB", "verbosity": 0})
        return Oracle("ase.calculators.emt.EMT")

    def model(self, seed):
        if self.name == "ethanol":
            return GPModel(
                ["C", "H", "O"], r_cut=4.0, n_max=5, l_max=4, sigma_forces=0.02,
                n_inducing={"H": 300, "C": 150, "O": 100}, seed=seed,
            )  # fmt: skip
        return GPModel(
            ["Au", "Cu"], r_cut=5.0, n_max=5, l_max=4, sigma_forces=0.02, n_inducing=300, seed=seed
        )

    def policy(self, threshold=None, patience=0):
        default = 0.25 if self.name == "ethanol" else 0.06
        return Policy(max_force_std=threshold or default, batch=2, patience=patience)

    def initial(self):
        return Initial(rattles=6)

    def label(self, atoms):
        """A copy with the labels of the oracle, computed here."""
        work = atoms.copy()
        work.calc = self.calculator()
        forces = work.get_forces()
        stress = work.get_stress() if work.pbc.all() else None
        return labelled(work, Label(float(work.get_potential_energy()), forces, stress, 0.0))

    def dynamics(self, ps, n_frames, seed):
        """Labelled frames of the oracle's own dynamics over the same ramp, equally spaced."""
        schedule = self.schedule()
        atoms = self.start()
        atoms.calc = self.calculator()
        rng = np.random.default_rng(seed)
        MaxwellBoltzmannDistribution(atoms, temperature_K=schedule["temperature"], rng=rng)
        steps = int(1000 * ps / schedule["timestep"])
        md = Langevin(
            atoms, schedule["timestep"] * units.fs, temperature_K=schedule["temperature"],
            friction=0.01 / units.fs, fixcm=False, rng=rng,
        )  # fmt: skip
        frames = []
        for k in range(1, n_frames + 1):
            share = k / n_frames
            rise = schedule["temperature_end"] - schedule["temperature"]
            md.set_temperature(temperature_K=schedule["temperature"] + share * rise)
            md.run(steps // n_frames)
            stress = atoms.get_stress() if atoms.pbc.all() else None
            label = Label(float(atoms.get_potential_energy()), atoms.get_forces(), stress, 0.0)
            frames.append(labelled(atoms, label))
        return frames


def force_errors(potential, frames):
    """(RMSE per component, 99th percentile of the component errors), eV/A."""
    errors = np.concatenate(
        [(potential.evaluate(f).forces - f.arrays["REF_forces"]).ravel() for f in frames]
    )
    return float(np.sqrt((errors**2).mean())), float(np.quantile(np.abs(errors), 0.99))
