"""Dispersion: the libraries' own calculators, derivatives, cells, files, settings, refusals."""

import json
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.units import Bohr
from helpers import along_atom, along_strain, labelled_frames

import gapy
from gapy._support.voigt import stress_of, voigt
from gapy.baselines import Dispersion, System, baseline_of, from_settings
from gapy.descriptors import smooth_soap
from gapy.engines.lammps.domain import fit_for_domains
from gapy.errors import GapyError, PackageError, SpeciesError, StructureError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.settings import ModelSettings
from gapy.geometry.pairs import pairs_within

pytest.importorskip("dftd3")
pytest.importorskip("dftd4")

D3 = Dispersion()
D4 = Dispersion("d4")
BOTH = pytest.mark.parametrize("dispersion", [D3, D4], ids=["d3bj", "d4"])
FRAMES = labelled_frames(9, seed=1)
NEW = labelled_frames(3, seed=5)[2]


def rattled(atoms, seed=0):
    atoms = atoms.copy()
    atoms.rattle(0.1, seed=seed)
    return atoms


def salt():
    return rattled(bulk("NaCl", "rocksalt", a=5.6))


def slab():
    atoms = rattled(fcc111("Cu", (1, 1, 3)))
    atoms.pbc = (True, True, False)
    return atoms


def library(dispersion):
    """The ASE calculator of the library itself, with a smooth end."""
    smooth = {"realspace_cutoff": {"width2": 2.0 * Bohr, "width3": 2.0 * Bohr}}
    if dispersion.method == "d4":
        from dftd4.ase import DFTD4

        return DFTD4(method="pbe", **smooth)
    from dftd3.ase import DFTD3

    return DFTD3(method="pbe", damping="d3bj", **smooth)


@BOTH
@pytest.mark.parametrize("atoms", [rattled(molecule("CH3CH2OH")), salt()], ids=["molecule", "salt"])
def test_it_is_what_the_library_says(dispersion, atoms):
    found = baseline_of(atoms, [dispersion])
    atoms = atoms.copy()
    atoms.calc = library(dispersion)
    assert found.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-10)
    assert found.energy < -0.05 and not found.energies.any()
    np.testing.assert_allclose(found.forces, atoms.get_forces(), atol=1e-10)
    if atoms.pbc.any():
        np.testing.assert_allclose(stress_of(found.virial, atoms), atoms.get_stress(), atol=1e-10)
        atoms.calc.set(realspace_cutoff={})
        assert found.energy == pytest.approx(atoms.get_potential_energy(), abs=2e-5 * len(atoms))


@pytest.mark.parametrize(
    ("dispersion", "atoms"),
    [
        (D3, rattled(molecule("CH3OH"))),
        (D3, salt()),
        (D3, slab()),
        (D4, molecule("CH3OH")),
        (D4, salt()),
    ],
    ids=["d3bj molecule", "d3bj salt", "d3bj slab", "d4 molecule", "d4 salt"],
)
def test_forces_and_virial_are_derivatives(dispersion, atoms):
    found = baseline_of(atoms, [dispersion])
    for j, c in ((0, 0), (1, 2)):
        slope = along_atom(lambda a: baseline_of(a, [dispersion]).energy, atoms, j, c)
        assert found.forces[j, c] == pytest.approx(-slope, abs=1e-6)
    for v, virial in enumerate(voigt(found.virial)):
        slope = along_strain(lambda a: baseline_of(a, [dispersion]).energy, atoms, v)
        assert virial == pytest.approx(slope, abs=1e-6)


def test_a_slab_is_one_in_wide_vacuum_wherever_it_is():
    atoms = slab()
    found = baseline_of(atoms, [D3])
    apart = atoms.copy()
    apart.cell[2] = [0.0, 0.0, 120.0]
    apart.pbc = True
    for same in (apart, moved(atoms, 50.0), with_height(atoms, 1.0), with_height(atoms, 30.0)):
        one = baseline_of(same, [D3])
        assert one.energy == pytest.approx(found.energy, rel=1e-9)
        np.testing.assert_allclose(one.forces, found.forces, atol=1e-9)


def test_d4_knows_no_slabs():
    with pytest.raises(StructureError, match="three periodic directions for d4, got pbc="):
        baseline_of(slab(), [D4])


def moved(atoms, z):
    atoms = atoms.copy()
    atoms.positions[:, 2] += z
    return atoms


def with_height(atoms, height):
    atoms = atoms.copy()
    atoms.cell[2] = [0.3, 0.2, height]
    return atoms


@pytest.fixture(scope="module")
def gp():
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    return gapy.SparseGPRegressor(soap, n_inducing=20, baselines=["zbl", D3]).fit(FRAMES)


def test_a_fitted_model_has_it_in_energy_forces_and_stress(gp):
    potential = gp.potential_
    out, base = potential.evaluate(NEW), baseline_of(NEW, [D3])
    without = gapy.Potential(**{**vars_of(potential), "baselines": potential.baselines[:1]})
    rest = without.evaluate(NEW)
    assert out.energy == pytest.approx(rest.energy + base.energy, abs=1e-9)
    np.testing.assert_allclose(out.forces, rest.forces + base.forces, atol=1e-9)
    for j, c in ((0, 0), (1, 2)):
        slope = along_atom(lambda a: potential.evaluate(a).energy, NEW, j, c)
        assert out.forces[j, c] == pytest.approx(-slope, abs=1e-6)
    for v in (0, 4):
        slope = along_strain(lambda a: potential.evaluate(a).energy, NEW, v)
        assert stress_of(out.virial, NEW)[v] * NEW.get_volume() == pytest.approx(slope, abs=1e-5)
    (one, two) = potential.evaluate_many([NEW, FRAMES[0]])
    assert one.energy == pytest.approx(out.energy, abs=1e-9)
    np.testing.assert_allclose(two.forces, potential.evaluate(FRAMES[0]).forces, atol=1e-9)


def vars_of(potential):
    names = potential.__dataclass_fields__
    return {name: getattr(potential, name) for name in names}


def test_files_keep_it(gp, tmp_path):
    gp.potential_.save(tmp_path / "m.gapy")
    save_state(gp, tmp_path / "s.gapy")
    for copy in (gapy.load(tmp_path / "m.gapy"), load_state(tmp_path / "s.gapy").potential_):
        assert copy.baselines == gp.potential_.baselines
        assert copy.evaluate(NEW).energy == gp.potential_.evaluate(NEW).energy


def test_a_table_of_the_settings_states_it():
    settings = ModelSettings(baseline={"dispersion": {"method": "d4", "functional": "PBE"}})
    assert settings.baselines() == ("zbl", D4)
    assert from_settings("dispersion", json.loads(json.dumps(D4.settings()))) == D4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "d5"}, r"method: expected one of d3bj, d4, got 'd5'"),
        ({"functional": 3}, r"functional: expected the name of a density functional, got 3"),
        ({"functional": "nonsense"}, r"functional: expected one that dftd3 has .* got 'nonsense'"),
        ({"method": "d4", "functional": "nonsense"}, r"expected one that dftd4 has d4 parameters"),
    ],
)
def test_what_is_unknown_is_refused(given, message):
    with pytest.raises(GapyError, match=f"baseline dispersion, .*{message}"):
        Dispersion(**given)


def test_without_the_package_the_remedy_is_named(gp, tmp_path, monkeypatch):
    gp.potential_.save(tmp_path / "m.gapy")
    monkeypatch.setitem(sys.modules, "dftd3.interface", None)
    with pytest.raises(PackageError, match=r'package dftd3, .* pip install "gapy\[dispersion\]"'):
        gapy.load(tmp_path / "m.gapy")


def test_what_has_no_whole_structure_is_refused(gp):
    with pytest.raises(GapyError, match="baseline dispersion: expected a whole structure"):
        D3.evaluate(System(np.array([6, 6])))
    potential = gp.potential_
    with pytest.raises(GapyError, match="baseline dispersion: expected a whole structure"):
        potential.evaluate_arrays(NEW.numbers, pairs_within(NEW, potential.pairs_cutoff))
    with pytest.raises(GapyError, match=r"m\.gapy: expected baselines that are sums over pairs"):
        fit_for_domains(potential, "m.gapy")


@pytest.mark.parametrize("dispersion", [D3, D4])
def test_an_element_without_parameters_names_the_structure(dispersion):
    soap = smooth_soap(["Og", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    odd = FRAMES[0].copy()
    odd.numbers[:] = 29
    odd.numbers[0] = 118
    frames = [*(a.copy() for a in FRAMES[1:3]), odd]
    for a in frames[:2]:
        a.numbers[:] = 29
    with pytest.raises(SpeciesError, match=r"2\b.*baseline dispersion: expected elements up to Lr"):
        gapy.SparseGPRegressor(soap, n_inducing=5, baselines=[dispersion]).fit(frames)


def test_no_atoms_no_energy():
    assert baseline_of(Atoms(), [D3]).energy == 0.0
