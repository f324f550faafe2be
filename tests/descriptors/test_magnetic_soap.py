"""SOAP with densities of moments: against dscribe's species, exact symmetries, derivatives."""

import numpy as np
import pytest
from ase.build import bulk
from dscribe.descriptors import SOAP
from helpers import along_atom

from gapy.descriptors import (
    CompiledSOAP,
    MagneticSOAP,
    SOAPSettings,
    as_descriptor,
    descriptor_from_settings,
    same_descriptor,
    smooth_soap,
)
from gapy.descriptors.base import by_atom
from gapy.errors import GapyError, SpeciesError, StructureError
from gapy.structures.spins import KEY, with_signs

MODES = ("off", "mu2", "mu1nu1", "crossover")
N, L = 3, 2


def soap(species=("Fe",), mode="off", **options):
    options = {"r_cut": 3.4, "n_max": N, "l_max": L, "compression": {"mode": mode}} | options
    return smooth_soap(list(species), **options)


def iron(signs, species="Fe4"):
    atoms = bulk("Fe", cubic=True) * (2, 1, 1)
    atoms.set_initial_magnetic_moments(None)
    atoms.symbols = species
    atoms.rattle(0.15, seed=3)
    return with_signs(atoms, signs)


def squares(x_id, first, second):
    """sum_m c_n c_n' (b, l, n, n') of dscribe's densities of two species, full matrices."""
    x_id = x_id.reshape(len(x_id), -1)
    upper = [(i, j) for i in range(N) for j in range(i, N)]
    n_same, n_cross = len(upper) * (L + 1), N * N * (L + 1)
    if first != second:
        return x_id[:, n_same : n_same + n_cross].reshape(-1, L + 1, N, N)
    part = x_id[:, :n_same] if first == 0 else x_id[:, n_same + n_cross :]
    part = part.reshape(-1, L + 1, len(upper))
    out = np.empty((len(x_id), L + 1, N, N))
    for d, (i, j) in enumerate(upper):
        out[:, :, i, j] = out[:, :, j, i] = part[:, :, d]
    return out


def test_densities_are_sums_and_differences_of_those_of_two_species():
    """dscribe with parallel neighbours as H and antiparallel ones as He, for each centre."""
    weighting = {"function": "poly", "r0": 3.4, "c": 1.0, "m": 1.0, "w0": 0.0}
    options = {"r_cut": 3.4, "n_max": N, "l_max": L, "sigma": 0.5, "periodic": True}
    signs = np.array([1, -1, -1, 1])
    ours = MagneticSOAP(SOAP(species=["Fe"], weighting=weighting, **options), ["Fe"])
    found = ours.create(iron(signs))
    two = SOAP(species=["H", "He"], weighting=weighting, **options)
    for i in range(4):
        as_species = iron(None)
        as_species.numbers = np.where(signs == signs[i], 1, 2)
        x_id = two.create(as_species, centers=[i])
        up, cross, down = (squares(x_id, *of) for of in ((0, 0), (0, 1), (1, 1)))
        turned = cross.transpose(0, 1, 3, 2)
        wanted = {
            (0, 0): up + cross + turned + down,
            (0, 1): up - cross + turned - down,
            (1, 1): up - cross - turned + down,
        }
        for of, value in wanted.items():
            got = squares(found[i : i + 1], *of)
            np.testing.assert_allclose(got, value, rtol=0.0, atol=1e-9 * np.abs(found).max())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("species", ["Fe4", "Fe3O"])
def test_all_moments_turned_around_change_no_bit(mode, species):
    ours = MagneticSOAP(soap(("Fe", "O"), mode), ["Fe"])
    signs = np.array([1, -1, 1, 1])
    found = ours.create(iron(signs, species))
    assert np.array_equal(ours.create(iron(-signs, species)), found)
    assert np.abs(ours.create(iron(np.ones(4), species)) - found).max() > 1e-3


@pytest.mark.parametrize("mode", MODES)
def test_without_moments_it_is_the_plain_soap(mode):
    plain = CompiledSOAP(soap(("Fe", "O"), mode))
    ours = MagneticSOAP(plain.soap, ["Fe"])
    zero, none = iron([0, 0, 0, 0], "Fe3O"), iron(None, "Fe3O")
    x_id, y_id = plain.create(none), ours.create(zero)
    np.testing.assert_allclose(y_id @ y_id.T, x_id @ x_id.T, rtol=1e-14)
    assert set(np.round(y_id[y_id != 0.0], 12)) == set(np.round(x_id[x_id != 0.0], 12))


def test_signs_of_other_elements_do_not_count():
    ours = MagneticSOAP(soap(("Fe", "O")), ["Fe"])
    one, other = iron([1, -1, 1, 1], "Fe3O"), iron([1, -1, 1, -1], "Fe3O")
    assert np.array_equal(ours.create(one), ours.create(other))


def test_an_atom_without_a_moment_sees_none():
    plain = CompiledSOAP(soap(("Fe", "O")))
    ours = MagneticSOAP(plain.soap, ["Fe"])
    x_d, y_d = plain.create(iron(None, "Fe3O"))[3], ours.create(iron([1, -1, 1, 0], "Fe3O"))[3]
    assert y_d @ y_d == pytest.approx(x_d @ x_d, rel=1e-14)


@pytest.mark.parametrize("mode", MODES)
def test_derivatives(mode):
    ours, atoms = MagneticSOAP(soap(("Fe", "O"), mode), ["Fe"]), iron([1, -1, 1, 0], "Fe3O")
    slopes = ours.derivatives(atoms)
    for c in range(3):
        wanted = along_atom(ours.create, atoms, 1, c)
        np.testing.assert_allclose(slopes[:, 1, c], wanted, atol=1e-7 * np.abs(wanted).max())


def test_the_order_of_atoms_and_the_size_of_the_cell_do_not_count():
    ours, atoms = MagneticSOAP(soap(), ["Fe"]), iron([1, -1, 1, 1])
    found, order = ours.create(atoms), [2, 0, 3, 1]
    np.testing.assert_allclose(ours.create(atoms[order]), found[order], rtol=1e-12, atol=1e-12)
    large = ours.create(atoms * (1, 2, 1))
    np.testing.assert_allclose(large, np.tile(found, (2, 1)), rtol=1e-10, atol=1e-10)


def test_settings_make_it_again():
    ours = MagneticSOAP(soap(("O", "Fe")), ["Fe"])
    again = descriptor_from_settings(ours.kind, ours.settings(), n_species=2)
    assert same_descriptor(ours, again) and ours.settings()["magnetic"] == ["Fe"]
    assert not same_descriptor(ours, CompiledSOAP(ours.soap)) and as_descriptor(ours) is ours
    atoms = iron([1, -1, 1, 0], "Fe3O")
    assert np.array_equal(by_atom(ours, atoms), ours.create(atoms))


def test_whatever_states_a_soap():
    stated = SOAPSettings(["Fe", "O"], r_cut=3.5, n_max=3, l_max=2)
    ours = MagneticSOAP(stated.made(), ["Fe"])
    for given in (stated, as_descriptor(stated), ours):
        assert same_descriptor(MagneticSOAP(given, ["Fe"]), ours)


def test_wrong_use():
    for wrong in (["Co"], [], ["Iron"], [27], None, [["Fe"]], 26.0):
        with pytest.raises(SpeciesError, match="magnetic: expected some of Fe, the species of"):
            MagneticSOAP(soap(), wrong)
    with pytest.raises(GapyError, match="soap: expected a dscribe SOAP object, got str; take"):
        MagneticSOAP("soap", ["Fe"])
    ours = MagneticSOAP(soap(("Fe", "O")), "Fe")
    with pytest.raises(StructureError, match=f"{KEY}: expected the signs .* for Fe, got a struct"):
        ours.create(iron(None))
    assert np.isfinite(ours.create(iron(None, "O4"))).all()  # nothing magnetic in it
