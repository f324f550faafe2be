"""A potential on plain arrays: a cell split into domains with ghosts equals the whole cell."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import labelled_frames, with_posterior

import gapy
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError, SpeciesError, StructureError
from gapy.geometry.neighbours import neighbour_list
from gapy.geometry.pairs import Pairs, pairs_within

SYMBOLS = ["Al", "Cu"]


@pytest.fixture(scope="module", params=["one term", "two terms"])
def model(request):
    soaps = [smooth_soap(SYMBOLS, r_cut=4.0, n_max=3, l_max=2)]
    if request.param == "two terms":
        soaps.append(smooth_soap(SYMBOLS, r_cut=3.0, n_max=2, l_max=2))
    return gapy.SparseGPRegressor(soaps, n_inducing=25).fit(labelled_frames(18, seed=1)).potential_


@pytest.fixture(scope="module")
def atoms():
    """A cell in which sigma is not zero anywhere: some atoms closer and stranger than others."""
    atoms = labelled_frames(3, seed=2)[2].repeat((3, 2, 2))
    atoms.rattle(0.1, seed=4)
    atoms.positions[7] += [0.6, 0.2, 0.0]
    return atoms


class Domain:
    """Some centres of a periodic cell, and a ghost for every neighbour that is not one of them.

    owner_n: index in the cell of every listed atom, the centres first. Each image of a neighbour
    is a ghost of its own, as in a code with its own domain decomposition.
    """

    def __init__(self, atoms, centres, cutoff):
        found = neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, cutoff)
        local = {(int(i), 0, 0, 0): k for k, i in enumerate(centres)}
        first, j_p, spans = [0], [], []
        for i in centres:
            span = np.arange(found.first_i[i], found.first_i[i + 1])
            for p in span:
                key = (int(found.j_p[p]), *map(int, found.shift_pc[p]))
                j_p.append(local.setdefault(key, len(local)))
            first.append(len(j_p))
            spans.append(span)
        self.owner_n = np.array([key[0] for key in local])
        self.n_centres = len(centres)
        self.numbers = atoms.numbers[self.owner_n]
        r_pc = found.r_pc[np.concatenate(spans)]
        self.pairs = Pairs(np.arange(len(centres)), first, j_p, r_pc, cutoff)


def split(atoms, cutoff):
    """Two domains whose border runs through the cell."""
    left = atoms.get_scaled_positions()[:, 0] < 0.45
    return [Domain(atoms, np.flatnonzero(part), cutoff) for part in (left, ~left)]


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_two_domains_equal_the_periodic_cell(model, atoms):
    whole = model.evaluate(atoms, force_std="cheap")
    energies, forces, virial = np.zeros(len(atoms)), np.zeros((len(atoms), 3)), np.zeros((3, 3))
    indicators = np.zeros((len(atoms), 4))
    domains = split(atoms, model.pairs_cutoff)
    for d in domains:
        assert d.n_centres < len(d.numbers)
        out = model.evaluate_arrays(d.numbers, d.pairs, indicators=True)
        ghosts = slice(d.n_centres, None)
        assert not out.energies[ghosts].any() and not out.indicators[ghosts].any()
        assert out.energy == pytest.approx(out.energies.sum(), rel=1e-14)
        mine = d.owner_n[: d.n_centres]
        energies[mine] = out.energies[: d.n_centres]
        indicators[mine] = out.indicators[: d.n_centres]
        np.add.at(forces, d.owner_n, out.forces)
        virial += out.virial
    close(energies, whole.energies)
    close(forces, whole.forces)
    close(virial, whole.virial)
    sigma = np.zeros(len(atoms))
    for d in domains:
        found = model.force_std(indicators[d.owner_n], d.numbers, d.pairs, forces[d.owner_n])
        assert not found[d.n_centres :].any()
        sigma[d.owner_n[: d.n_centres]] = found[: d.n_centres]
    close(sigma, whole.forces_std)
    # Zeros in the place of the ghosts, as if nothing lay beyond the border, give less.
    d = domains[0]
    own = indicators[d.owner_n] * (np.arange(len(d.numbers)) < d.n_centres)[:, None]
    cut = model.force_std(own, d.numbers, d.pairs, forces[d.owner_n])[: d.n_centres]
    expected = sigma[d.owner_n[: d.n_centres]]
    assert (cut < 0.99 * expected).any() and (cut <= expected * (1 + 1e-12)).all()


@pytest.mark.parametrize("gain", [0.4, 0.0])
def test_samples_in_two_domains_equal_the_periodic_cell(model, atoms, gain):
    """True: samples where the calibration prefers them; "posterior" anyway."""
    model = with_posterior(model, gain)
    for mode, samples in ((True, gain > 0.1), ("posterior", True), ("cheap", False)):
        whole = model.evaluate(atoms, force_std=mode)
        forces, deviations = np.zeros((len(atoms), 3)), np.zeros((len(atoms), 24))
        indicators = np.zeros((len(atoms), 4))
        domains = split(atoms, model.pairs_cutoff)
        for d in domains:
            out = model.evaluate_arrays(d.numbers, d.pairs, indicators=mode)
            assert (out.deviations is not None) == samples and out.forces_std is None
            indicators[d.owner_n[: d.n_centres]] = out.indicators[: d.n_centres]
            np.add.at(forces, d.owner_n, out.forces)
            if samples:
                np.add.at(deviations, d.owner_n, out.deviations)
        sigma = np.zeros(len(atoms))
        for d in domains:
            found = model.force_std(
                indicators[d.owner_n], d.numbers, d.pairs, forces[d.owner_n],
                deviations=deviations[d.owner_n] if samples else None,
            )  # fmt: skip
            assert not found[d.n_centres :].any()
            sigma[d.owner_n[: d.n_centres]] = found[: d.n_centres]
        np.testing.assert_allclose(sigma, whole.forces_std, rtol=1e-6)
        if samples:  # and not the cheap sigma
            cheap = model.force_std(indicators, atoms.numbers, pairs_of(model, atoms), forces)
            assert np.abs(np.log(cheap / sigma)).max() > 0.1


def pairs_of(model, atoms):
    return pairs_within(atoms, model.pairs_cutoff)


def test_local_sigmas_need_no_ghosts(model, atoms):
    whole = model.evaluate(atoms, local_std=True)
    for d in split(atoms, model.pairs_cutoff):
        out = model.evaluate_arrays(d.numbers, d.pairs, local_std=True)
        close(out.energies_std[: d.n_centres], whole.energies_std[d.owner_n[: d.n_centres]])
        assert not out.energies_std[d.n_centres :].any()


def test_all_atoms_as_centres_are_the_ase_path(model, atoms):
    pairs = pairs_within(atoms, model.pairs_cutoff)
    model = with_posterior(model)
    modes = {"local_std": True, "force_std": "cheap"}
    for options in ({}, {"force_std": True}, {"force_std": "posterior"}, modes):
        whole = model.evaluate(atoms, **options)
        out = model.evaluate_arrays(atoms.numbers, pairs, **options)
        assert out.energy == whole.energy
        for name in ("energies", "forces", "virial", "energies_std", "forces_std"):
            np.testing.assert_array_equal(getattr(out, name), getattr(whole, name))
    # Longer pairs may be listed too, and lists instead of arrays given.
    longer = pairs_within(atoms, model.pairs_cutoff + 1.0)
    close(model.evaluate_arrays(atoms.numbers, longer, **modes).forces_std, whole.forces_std)
    as_lists = Pairs(
        longer.centre_i.tolist(), longer.first_i.tolist(), longer.j_p.tolist(),
        longer.r_pc.tolist(), model.pairs_cutoff,
    )  # fmt: skip
    again = model.evaluate_arrays(atoms.numbers.tolist(), as_lists, **modes)
    close(again.forces, whole.forces)
    close(again.forces_std, whole.forces_std)


def test_domains_in_any_order_with_centres_anywhere(model, atoms):
    """The centres need not come first: the same domain, its atoms shuffled."""
    d = split(atoms, model.pairs_cutoff)[0]
    out = model.evaluate_arrays(d.numbers, d.pairs)
    order = np.random.default_rng(0).permutation(len(d.numbers))
    place = np.argsort(order)
    pairs = Pairs(
        place[d.pairs.centre_i], d.pairs.first_i, place[np.array(d.pairs.j_p)], d.pairs.r_pc,
        d.pairs.cutoff,
    )  # fmt: skip
    shuffled = model.evaluate_arrays(d.numbers[order], pairs)
    close(shuffled.energies[place], out.energies)
    close(shuffled.forces[place], out.forces)


def test_what_cannot_be_evaluated_is_refused(model, atoms):
    d = split(atoms, model.pairs_cutoff)[0]
    with pytest.raises(GapyError, match=r"force_std: expected all \d+ atoms.*Potential\.force_std"):
        model.evaluate_arrays(d.numbers, d.pairs, force_std=True)
    with pytest.raises(StructureError, match="numbers: expected atomic numbers"):
        model.evaluate_arrays(d.numbers.astype(float), d.pairs)
    with pytest.raises(StructureError, match=r"j_p from 0 to \d+"):
        model.evaluate_arrays(d.numbers[:-1], d.pairs)
    with pytest.raises(
        StructureError, match=r"shorter than 4\.0000 A.*got a list of cutoff 3\.9000"
    ):
        model.evaluate_arrays(atoms.numbers, pairs_within(atoms, 3.9))
    with pytest.raises(SpeciesError, match="Si"):
        model.evaluate_arrays(np.full(len(d.numbers), 14), d.pairs)
    n = len(d.numbers)
    with pytest.raises(StructureError, match=rf"indicators: expected an array \({n}, 4\)"):
        model.force_std(np.zeros((n, 3)), d.numbers, d.pairs, np.zeros((n, 3)))
    with pytest.raises(StructureError, match="forces"):
        model.force_std(np.zeros((n, 4)), d.numbers, d.pairs, np.zeros((n - 1, 3)))
    for name in ("force_std", "indicators"):
        with pytest.raises(GapyError, match=rf"{name}: expected one of .*'posterior'.*got 'post'"):
            model.evaluate_arrays(d.numbers, d.pairs, **{name: "post"})
    given = (np.zeros((n, 4)), d.numbers, d.pairs, np.zeros((n, 3)))
    without = replace(model, calibration=replace(model.calibration, posterior=None))
    with pytest.raises(GapyError, match="deviations: expected None, since posterior samples"):
        without.force_std(*given, deviations=np.zeros((n, 24)))
    with pytest.raises(StructureError, match=rf"deviations: expected an array \({n}, 24\)"):
        with_posterior(model).force_std(*given, deviations=np.zeros((n, 3)))


def test_descriptors_that_search_for_themselves_are_refused():
    from dscribe.descriptors import ACSF

    acsf = ACSF(r_cut=4.0, g2_params=[[1.0, 1.0]], species=SYMBOLS, periodic=True)
    frames = labelled_frames(3, seed=1)
    potential = gapy.SparseGPRegressor(acsf, n_inducing=4).fit(frames).potential_
    pairs = pairs_within(frames[0], 4.0)
    with pytest.raises(GapyError, match=r"evaluate_arrays: expected .*SOAP.* ACSF"):
        potential.evaluate_arrays(frames[0].numbers, pairs)


def test_the_example_of_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "arrays.md").read_text(encoding="utf-8")
    names: dict = {}
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(code, names)
    whole = names["potential"].evaluate(names["atoms"], force_std=True)
    # Coefficients of 2e6 eV (little noise, few structures) make 1e-9 of the rounding of vectors.
    assert names["out"].energy == pytest.approx(whole.energy, abs=1e-8)
    np.testing.assert_allclose(names["forces"], whole.forces, atol=1e-8)
    np.testing.assert_allclose(names["out"].virial, whole.virial, atol=1e-7)
    np.testing.assert_allclose(names["sigma"], whole.forces_std, rtol=1e-5)
