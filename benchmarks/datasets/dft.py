"""One pw.x single point through ASE, checked before it may be used as a label."""

import os
import re
import tempfile
from pathlib import Path

import numpy as np
from ase.calculators.espresso import Espresso, EspressoProfile
from ase.calculators.singlepoint import SinglePointCalculator
from settings import input_data, koffset, kpoints, pulay_stress

SMALLEST = 0.3
"""Moment (Bohr magnetons) from which on an atom keeps the sign that it was given."""


class BadLabel(RuntimeError):
    """The calculation crashed or did not converge; the message says which."""


def moments(text, n_atoms):
    """Return the last magnetic moments of the atoms (Bohr magnetons) in the output of pw.x."""
    found = re.findall(r"magn[:=]\s*(-?[\d.]+)", text)
    return np.array(found[-n_atoms:], dtype=float)


def single_point(atoms, settings, pw="pw.x", pseudo_dir=None, grid=None, shift=None):
    """Return a copy of atoms with energy (eV), forces (eV/A) and stress (eV/A^3).

    The energy is the free energy E - TS of the smeared electrons: that is the
    quantity whose derivatives the forces and the stress are.
    ``grid`` and ``shift`` replace the k-points of the settings in convergence tests.
    ``pseudo_dir`` defaults to the environment variable ESPRESSO_PSEUDO.
    The stress is in ASE sign and Voigt order (xx yy zz yz xz xy), with the Pulay part that makes
    it the slope of these energies where the settings know it.
    A spin-polarised calculation starts from the initial magnetic moments of atoms; what it ends
    in is stored as their `magmoms` (Bohr magnetons, in spheres around the atoms), and moments of
    another order than the initial ones are no label of these.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    species = set(atoms.get_chemical_symbols())
    if grid is None:
        grid = kpoints(settings, atoms)
    if shift is None:
        shift = koffset(grid)
    with tempfile.TemporaryDirectory() as directory:
        calc = Espresso(
            profile=EspressoProfile(
                command=pw, pseudo_dir=pseudo_dir or os.environ["ESPRESSO_PSEUDO"]
            ),
            directory=directory,
            pseudopotentials={s: settings["pseudopotentials"][s] for s in species},
            input_data=input_data(settings, atoms),
            kpts=grid,
            koffset=shift,
            # pw.x starts from moments per valence electron.
            rescale_magmom_fac=settings.get("valence", 1.0),
        )
        work = atoms.copy()
        work.pbc = True  # pw.x is periodic always; vacuum only lowers the k grid
        work.calc = calc
        output = Path(directory) / "espresso.pwo"
        try:
            energy = work.get_potential_energy()
            text = output.read_text()
            forces = work.get_forces()
            stress = work.get_stress() + pulay_stress(settings, atoms)
            spins = {"magmoms": moments(text, len(atoms))} if "nspin" in settings else {}
        except Exception as error:
            text = "".join(
                (Path(directory) / name).read_text()
                for name in ("espresso.pwo", "espresso.err")
                if (Path(directory) / name).exists()
            )
            reason = "not converged" if "convergence NOT achieved" in text else "crashed"
            raise BadLabel(f"{reason}: {type(error).__name__}: {text[-600:]!r}") from error
        if "convergence NOT achieved" in text or "convergence has been achieved" not in text:
            raise BadLabel("self-consistency not reached")
        if "JOB DONE" not in text:
            raise BadLabel("pw.x stopped before its end")
    if (
        spins
        and (spins["magmoms"] * np.sign(atoms.get_initial_magnetic_moments()) < SMALLEST).any()
    ):
        raise BadLabel(f"another order of the moments: {spins['magmoms']}")
    labelled = atoms.copy()
    labelled.calc = SinglePointCalculator(
        labelled, energy=energy, forces=forces, stress=stress, **spins
    )
    return labelled
