"""The total charge of a structure: read with the labels, part of what it is."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import read, write

import gapy
from gapy._support.sizes import repeated
from gapy.errors import StructureError
from gapy.structures import from_atoms
from gapy.structures.charge import charge_of, with_charge, with_initial_charges


def labelled(charge):
    atoms = molecule("H2O")
    atoms.info |= {"REF_energy": -1.0} | ({} if charge is None else {"charge": charge})
    return atoms


@pytest.mark.parametrize(("given", "read_as"), [(None, 0.0), (0, 0.0), (-1, -1.0), (0.5, 0.5)])
def test_files_hold_it(tmp_path, given, read_as):
    write(tmp_path / "a.xyz", labelled(given), format="extxyz")
    (found,) = gapy.read_structures(tmp_path / "a.xyz")
    assert charge_of(found.atoms) == read_as
    assert ("charge" in found.atoms.info) == bool(read_as)


def test_it_is_part_of_what_a_structure_is():
    neutral, none, anion = from_atoms([labelled(0), labelled(None), labelled(-1)])
    assert neutral.digest() == none.digest() != anion.digest()


@pytest.mark.parametrize("wrong", ["minus one", np.nan, [1, 2], True])
def test_what_is_no_charge_names_the_frame(wrong):
    with pytest.raises(StructureError, match=r"frames frame 1: charge: expected the total charge"):
        from_atoms([labelled(0), labelled(wrong)])


def test_numpy_numbers_are_charges():
    assert charge_of(labelled(np.float32(0.5))) == 0.5 and charge_of(labelled(np.array(-2))) == -2.0


def test_initial_charges_add_up_to_it():
    atoms = with_initial_charges(with_charge(molecule("H2O"), -1.0))
    assert atoms.get_initial_charges().sum() == pytest.approx(-1.0)
    assert not with_initial_charges(Atoms("H")).has("initial_charges")


def test_copies_bring_their_charge():
    assert repeated(
        with_charge(Atoms("H", cell=[3, 3, 3], pbc=True), 0.5), (2, 3, 1), "x"
    ).info == {"charge": 3.0}


def test_frames_of_molecular_dynamics_keep_it(cli, tmp_path):
    soap = gapy.descriptors.smooth_soap(["H", "O"], r_cut=3.0, n_max=2, l_max=1)
    rng, frames = np.random.default_rng(0), []
    for charge in (0, 1, 0, -1):
        atoms = labelled(charge)
        atoms.positions += rng.normal(scale=0.03, size=(3, 3))
        atoms.arrays["REF_forces"] = np.zeros((3, 3))
        frames.append(atoms)
    base = gapy.baselines.ChargeEquilibration()
    gp = gapy.SparseGPRegressor(soap, n_inducing=5, baselines=["zbl", base]).fit(frames)
    gp.potential_.save(tmp_path / "m.gapy")
    start = molecule("H2O")
    start.info["charge"] = -1
    write(tmp_path / "start.xyz", start, format="extxyz")
    run = tmp_path / "run"
    options = ("-o", run, "--steps", 4, "--timestep", 0.1)
    result = cli("md", tmp_path / "m.gapy", tmp_path / "start.xyz", *options)
    assert result.code == 0, result.err
    for frame in read(run / "md.extxyz", index=":"):
        assert frame.info["charge"] == -1
        energy = gp.potential_.evaluate(frame).energy
        assert frame.get_potential_energy() == pytest.approx(energy, abs=1e-6)
