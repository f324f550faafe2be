"""Diamond and beta-tin silicon under pressure: where the enthalpies cross, with an error bar.

    python examples/silicon/pressure.py -o DIR [--model MODEL.gapy] [--quick]

Each posterior sample relaxes both crystals at a series of volumes and has a transition pressure of
its own; their spread, times the factor of left-out errors, is the error bar.
"""

import matplotlib.pyplot as plt
import numpy as np
from ase.build import bulk
from ase.units import GPa
from scipy.optimize import brentq, minimize_scalar
from silicon import options, picture, potential, said, with_bars

from gapy.properties import relax
from gapy.properties.competing_phases import prototypes
from gapy.properties.equation_of_state import birch_murnaghan, fitted, scaled

VOLUMES = (0.80, 1.06)  # of that of each phase
PRESSURES = np.linspace(0.0, 16.0, 33)  # GPa
NAMES = ("diamond", "beta-tin")


def crystals() -> dict:
    """Cells of both phases near their volumes."""
    tin = prototypes("Si", 15.0)["beta_tin"]
    return {"diamond": bulk("Si", a=5.40), "beta-tin": tin}


def curve(calculator, atoms, points: int) -> tuple:
    """Birch and Murnaghan's parameters (eV, eV/A^3, none, A^3) per atom, shapes relaxed."""
    energies, volumes = [], []
    for factor in np.linspace(*VOLUMES, points):
        one = relax(calculator, scaled(atoms, factor), cell="shape", force=2e-3, same_phase=False)
        energies.append(one.energy / len(atoms))
        volumes.append(one.atoms.get_volume() / len(atoms))
    return fitted(np.array(volumes), np.array(energies))


def enthalpy(parameters, pressure: float) -> float:
    """min over V of E + pV, eV/atom; the pressure in GPa."""
    v0 = parameters[3]
    return minimize_scalar(
        lambda v: birch_murnaghan(v, *parameters) + pressure * GPa * v,
        bounds=(0.7 * v0, 1.1 * v0), method="bounded",
    ).fun  # fmt: skip


def transition(calculator, points: int) -> dict[str, float]:
    """The transition pressure (GPa), and enthalpies of beta-tin above diamond (eV/atom)."""
    found = {name: curve(calculator, atoms, points) for name, atoms in crystals().items()}

    def above(pressure):
        return enthalpy(found["beta-tin"], pressure) - enthalpy(found["diamond"], pressure)

    rows = {f"{p:.1f}": above(p) for p in PRESSURES}
    return {"transition": brentq(above, -5.0, 40.0), **rows}


def main() -> None:
    given = options(__doc__)
    model = potential(given)
    bars = with_bars(model, transition, 5 if given.quick else 9, members=2 if given.quick else 12)
    pressure, error = bars.pop("transition")
    said(f"diamond becomes beta-tin at {pressure:.1f} +- {error:.1f} GPa")
    h, sigma = 1e3 * np.array(list(bars.values())).T

    figure, ax = plt.subplots(figsize=(5.4, 3.8), layout="constrained")
    ax.plot(PRESSURES, h, "C0-")
    ax.fill_between(PRESSURES, h - sigma, h + sigma, color="C0", alpha=0.25, lw=0)
    ax.axhline(0.0, color="k", lw=0.6)
    ax.errorbar([pressure], [0.0], xerr=[error], fmt="o", color="C1", capsize=3)
    ax.set(xlabel="pressure (GPa)", ylabel="enthalpy of β-tin above diamond (meV/atom)")
    ax.set_title(f"transition at {pressure:.1f} ± {error:.1f} GPa", fontsize=10)
    picture(figure, given, "pressure.png")


if __name__ == "__main__":
    main()
