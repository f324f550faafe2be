"""Output files of other programs, as they write them: energies, forces and stresses arrive."""

import numpy as np
import pytest
from ase import Atoms
from ase.units import Bohr, GPa, Hartree, Ry

from gapy.errors import GapyError, StructureError
from gapy.structures import from_atoms, read_structures
from gapy.structures.reading import frame_sizes, read_part

CELL = 5.43
POSITIONS = np.array([[0.0, 0.0, 0.0], [1.4, 1.35, 1.3]])
FORCES = np.array([[0.1, -0.2, 0.3], [-0.1, 0.2, -0.3]])
STRESS = np.array([0.01, 0.02, 0.03, 0.001, 0.002, 0.003])  # eV/A^3, ASE's sign and order
MATRIX = STRESS[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
ENERGY = -10.5


def rows(array, fmt="{:.10f}") -> list[str]:
    return ["  ".join(fmt.format(x) for x in row) for row in array]


def vasprun(path) -> None:
    def varray(name, array):
        lines = "".join(f"<v> {row} </v>\n" for row in rows(array))
        return f'<varray name="{name}">\n{lines}</varray>\n'

    crystal = f"<crystal>{varray('basis', CELL * np.eye(3))}</crystal>"
    structure = f"{crystal}{varray('positions', POSITIONS / CELL)}"
    energies = "".join(
        f'<i name="{name}"> {ENERGY} </i>' for name in ("e_fr_energy", "e_wo_entrp", "e_0_energy")
    )
    # VASP writes kB, with the sign of a pressure.
    stress = varray("stress", -10.0 * MATRIX / GPa)
    path.write_text(f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
<kpoints><varray name="kpointlist"><v> 0.0 0.0 0.0 </v></varray>
<varray name="weights"><v> 1.0 </v></varray></kpoints>
<atominfo><atoms> 2 </atoms><types> 1 </types>
<array name="atoms"><set><rc><c>Si</c><c> 1</c></rc><rc><c>Si</c><c> 1</c></rc></set></array>
</atominfo>
<structure name="initialpos">{structure}</structure>
<calculation>
<scstep><energy>{energies}</energy></scstep>
<structure>{structure}</structure>
{varray("forces", FORCES)}{stress}<energy>{energies}</energy>
</calculation>
<structure name="finalpos">{structure}</structure>
</modeling>
""")


def outcar(path) -> None:
    # VASP writes kB, with the sign of a pressure, in the order xx yy zz xy yz zx.
    stress = "  ".join(f"{x:.8f}" for x in -10.0 * STRESS[[0, 1, 2, 5, 3, 4]] / GPa)
    lattice = "\n".join(f"  {row}   0.0 0.0 0.0" for row in rows(CELL * np.eye(3)))
    atoms = "\n".join(f"  {a}  {b}" for a, b in zip(rows(POSITIONS), rows(FORCES)))
    path.write_text(f""" vasp.6.4.1 05Apr23 complex
 POTCAR:    PAW_PBE Si 05Jan2001
 POTCAR:    PAW_PBE Si 05Jan2001
   ions per type =               2
   ISPIN  =      1    spin polarized calculation?
   k-points  NKPTS =      1   k-points in BZ  NKDIM =      1   number of bands  NBANDS=      8
 k-points in reciprocal lattice and weights: Gamma
   0.00000000  0.00000000  0.00000000      1.000
------------------------ Iteration      1(   1)  ------------------------
  in kB   {stress}
      direct lattice vectors                 reciprocal lattice vectors
{lattice}
 POSITION                                       TOTAL-FORCE (eV/Angst)
 -----------------------------------------------------------------------------------
{atoms}
 -----------------------------------------------------------------------------------
  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)
  ---------------------------------------------------
  free  energy   TOTEN  =  {ENERGY:.8f} eV

  energy  without entropy= {ENERGY + 0.5:.8f}  energy(sigma->0) = {ENERGY + 0.25:.8f}
""")


def cp2k(path) -> None:
    atoms = "\n".join(
        f"  {k + 1}  1 Si  14  {row}  4.0  28.0855" for k, row in enumerate(rows(POSITIONS))
    )
    forces = "\n".join(
        f"  {k + 1}  1  Si  {row}" for k, row in enumerate(rows(FORCES / (Hartree / Bohr)))
    )
    # GPa, with the sign of a pressure.
    stress = "\n".join(f"  {a}  {row}" for a, row in zip("XYZ", rows(-MATRIX / GPa)))
    lattice = "\n".join(
        f" CELL| Vector {axis} [angstrom]:  {row}  |{axis}| = {CELL}"
        for axis, row in zip("abc", rows(CELL * np.eye(3)))
    )
    path.write_text(f""" DBCSR| Multiplication driver   BLAS
{lattice}
  1. Atomic kind: Si                     Number of atoms:       2
  Atom  Kind  Element       X           Y           Z          Z(eff)       Mass

{atoms}

  *** SCF run converged in    12 steps ***
 ENERGY| Total FORCE_EVAL ( QS ) energy (a.u.):   {ENERGY / Hartree:.12f}
 ATOMIC FORCES in [a.u.]
 # Atom   Kind   Element          X              Y              Z
{forces}
 SUM OF ATOMIC FORCES   0.0 0.0 0.0
 STRESS TENSOR [GPa]

            X               Y               Z
{stress}

""")


def espresso(path) -> None:
    atoms = "\n".join(
        f"         {k + 1}           Si  tau(   {k + 1}) = (  {row}  )"
        for k, row in enumerate(rows(POSITIONS / CELL))
    )
    forces = "\n".join(
        f"     atom    {k + 1} type  1   force = {row}"
        for k, row in enumerate(rows(FORCES / (Ry / Bohr)))
    )
    # Ry/bohr^3 in the first three columns, with the sign of a pressure.
    stress = "\n".join(
        f"  {row}   0.0 0.0 0.0" for row in rows(-MATRIX / (Ry / Bohr**3), "{:.12f}")
    )
    path.write_text(f"""
     Program PWSCF v.6.7 starts on  1Jan2026 at  0: 0: 0

     bravais-lattice index     =            0
     lattice parameter (alat)  =      {CELL / Bohr:.10f}  a.u.
     number of atoms/cell      =            2
     number of atomic types    =            1

     celldm(1)=  {CELL / Bohr:.10f}  celldm(2)=   0.000000  celldm(3)=   0.000000

     crystal axes: (cart. coord. in units of alat)
               a(1) = (   1.000000   0.000000   0.000000 )
               a(2) = (   0.000000   1.000000   0.000000 )
               a(3) = (   0.000000   0.000000   1.000000 )

   Cartesian axes

     site n.     atom                  positions (alat units)
{atoms}

!    total energy              =     {ENERGY / Ry:.10f} Ry

     Forces acting on atoms (cartesian axes, Ry/au):

{forces}

     Total force =     0.0     Total SCF correction =     0.0

     total   stress  (Ry/bohr**3)                   (kbar)     P=       0.00
{stress}

     JOB DONE.
""")


def aims(path) -> None:
    lattice = "\n".join(f"  |   {row}" for row in rows(CELL * np.eye(3)))
    atoms = "\n".join(
        f"  |    {k + 1}: Species Si            {row}" for k, row in enumerate(rows(POSITIONS))
    )
    forces = "\n".join(f"  |    {k + 1}   {row}" for k, row in enumerate(rows(FORCES)))
    tensor = "\n".join(
        f"  |  {axis}   {row}  |" for axis, row in zip("xyz", rows(MATRIX, "{:.10f}"))
    )
    path.write_text(f"""
          Invoking FHI-aims ...
  | Number of atoms                   :        2
  Input geometry:
  | Unit cell:
{lattice}
  | Atomic structure:
  |       Atom                x [A]            y [A]            z [A]
{atoms}
  | Number of Kohn-Sham states (occupied + empty):       20
  | Number of spin channels           :        1
  The structure contains        2 atoms,  and a total of         28.000 electrons.
  Begin self-consistency loop: Initialization.
          Begin self-consistency iteration #    1
  Self-consistency cycle converged.
  | Electronic free energy        :{ENERGY:.10f} eV
  | Total energy corrected        :{ENERGY:.10f} eV
  Total atomic forces (unitary forces cleaned) [eV/Ang]:
{forces}
  +-------------------------------------------------------------------+
  |              Analytical stress tensor - Symmetrized               |
  |                  Cartesian components [eV/A**3]                   |
  +-------------------------------------------------------------------+
  |                x                y                z                |
  |                                                                   |
{tensor}
  +-------------------------------------------------------------------+
          Have a nice day.
""")


def deepmd(path, energies: bool = True) -> None:
    (path / "set.000").mkdir(parents=True)
    (path / "type.raw").write_text("0\n0\n")
    (path / "type_map.raw").write_text("Si\n")
    frames = {"box": CELL * np.eye(3), "coord": POSITIONS}
    if energies:
        virial = -(CELL**3) * MATRIX
        frames |= {"energy": np.array([ENERGY]), "force": FORCES, "virial": virial}
    for name, array in frames.items():
        one = array.reshape(1, -1) if name != "energy" else array
        np.save(path / f"set.000/{name}.npy", np.concatenate([one] * 3))


# ASE is about to move its reader of FHI-aims, and says so at every file.
@pytest.mark.filterwarnings("ignore:FHI-aims IO is moving:FutureWarning")
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("vasprun.xml", vasprun),
        ("OUTCAR", outcar),
        ("si.pwo", espresso),
        ("aims.out", aims),
        ("system", deepmd),
    ],
)
def test_labels_of_other_programs_arrive(name, make, tmp_path):
    if make is deepmd:
        pytest.importorskip("dpdata")
    make(tmp_path / name)
    _require_labels(read_structures(tmp_path / name)[-1])


def test_labels_of_cp2k_arrive_by_way_of_dpdata(tmp_path):
    dpdata = pytest.importorskip("dpdata")
    cp2k(tmp_path / "cp2k.log")
    frames = dpdata.LabeledSystem(str(tmp_path / "cp2k.log"), fmt="cp2k/output")
    (s,) = from_atoms(frames.to("ase/structure"), source="cp2k.log")
    _require_labels(s)


def _require_labels(s):
    assert s.atoms.get_chemical_symbols() == ["Si", "Si"]
    np.testing.assert_allclose(s.atoms.cell.array, CELL * np.eye(3), atol=1e-6)
    np.testing.assert_allclose(s.atoms.positions, POSITIONS, atol=1e-6)
    assert s.energy == pytest.approx(ENERGY, abs=1e-6)
    np.testing.assert_allclose(s.forces, FORCES, atol=1e-6)
    np.testing.assert_allclose(s.stress, STRESS, atol=1e-6)


def test_systems_of_deepmd_are_found_and_taken_in_parts(tmp_path):
    pytest.importorskip("dpdata")
    for name in ("a", "b"):
        deepmd(tmp_path / "data" / name)
    assert len(read_structures(tmp_path / "data")) == 6
    assert len(read_structures(f"{tmp_path}/data/a@0:2")) == 2
    assert frame_sizes(tmp_path / "data/a") == [2, 2, 2]
    part, _ = read_part(tmp_path / "data/a", 1, 3, read_structures.__defaults__[0])
    assert [s.index for s in part] == [1, 2]


def test_a_system_without_energies_says_so(tmp_path):
    pytest.importorskip("dpdata")
    deepmd(tmp_path / "bare", energies=False)
    with pytest.raises(StructureError, match="expected energies under 'REF_energy'"):
        read_structures(tmp_path / "bare")


def test_without_dpdata_the_remedy_is_named(tmp_path, monkeypatch):
    deepmd(tmp_path / "system")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(GapyError, match=r'pip install "gapy\[dpdata\]"'):
        read_structures(tmp_path / "system")


@pytest.mark.parametrize(
    ("energy", "forces", "virial"),
    [("dft_energy", "dft_forces", "dft_virial"), ("MACE_energy", "MACE_forces", "MACE_virials")],
)
def test_keys_of_other_programs_are_suggested(energy, forces, virial):
    atoms = Atoms("Si2", POSITIONS, cell=CELL * np.eye(3), pbc=True)
    atoms.info |= {energy: ENERGY, virial: MATRIX}
    atoms.arrays[forces] = FORCES
    options = f"--energy-key {energy} --forces-key {forces} --virial-key {virial}"
    with pytest.raises(StructureError, match=rf"did you mean {options}\?"):
        from_atoms([atoms])
