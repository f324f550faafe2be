"""One pw.x single point through ASE, checked before it may be used as a label."""

import os
import tempfile
from pathlib import Path

from ase.calculators.espresso import Espresso, EspressoProfile
from ase.calculators.singlepoint import SinglePointCalculator
from settings import input_data, kgrid, koffset, spacing


class BadLabel(RuntimeError):
    """The calculation crashed or did not converge; the message says which."""


def single_point(atoms, settings, pw="pw.x", pseudo_dir=None, grid=None, shift=None):
    """Return a copy of atoms with energy (eV), forces (eV/A) and stress (eV/A^3).

    The energy is the free energy E - TS of the smeared electrons: that is the
    quantity whose derivatives the forces and the stress are.
    ``grid`` and ``shift`` replace the k-points of the settings in convergence tests.
    ``pseudo_dir`` defaults to the environment variable ESPRESSO_PSEUDO.
    The stress is in ASE sign and Voigt order (xx yy zz yz xz xy).
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    species = set(atoms.get_chemical_symbols())
    if grid is None:
        grid = kgrid(atoms, spacing(settings, atoms))
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
        )
        work = atoms.copy()
        work.pbc = True  # pw.x is periodic always; vacuum only lowers the k grid
        work.calc = calc
        output = Path(directory) / "espresso.pwo"
        try:
            energy = work.get_potential_energy()
            text = output.read_text()
            forces, stress = work.get_forces(), work.get_stress()
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
    labelled = atoms.copy()
    labelled.calc = SinglePointCalculator(labelled, energy=energy, forces=forces, stress=stress)
    return labelled
