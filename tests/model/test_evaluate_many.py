"""Many structures in one batch: what one call for each gives, whatever they are."""

from dataclasses import dataclass, replace
from functools import cache
from unittest.mock import patch

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from dscribe.descriptors import ACSF
from helpers import PERIODICITY, morse_labels, random_structure, seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from potential_helpers import SYMBOLS, make, three_species

import gapy
import gapy.data
from gapy.baselines import ZBL, Contribution
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError, SpeciesError, StructureError
from gapy.model import many
from gapy.structures import from_atoms

ARRAYS = ("energies", "forces", "virial", "energies_std", "forces_std", "indicators")
FULL = {"local_std": True, "force_std": True}


@dataclass(frozen=True)
class Whole:
    """A baseline that is no sum over pairs: E = sum_i z_i^2 in the cell, half of it no atom's."""

    kind = "whole"
    pairwise = False
    species = None
    cutoff = None

    def evaluate(self, system):
        z_i = system.positions[:, 2]
        forces = np.zeros((len(z_i), 3))
        forces[:, 2] = -2.0 * z_i
        virial = -system.positions.T @ forces + (np.trace(system.cell) if any(system.pbc) else 0.0)
        return Contribution(0.5 * z_i**2, forces, virial, float(0.5 * (z_i**2).sum()))

    def settings(self):
        return {}


def random_frames(seed, n_structures):
    """Of all periodicities, with up to nine atoms; a crystal of many among them, an empty one."""
    rng = np.random.default_rng(seed)
    frames = [
        random_structure(
            rng, SYMBOLS, int(rng.integers(1, 10)), PERIODICITY[rng.integers(len(PERIODICITY))],
            min_distance=1.6,
        )
        for _ in range(n_structures)
    ]  # fmt: skip
    crystal = bulk("Si", cubic=True).repeat((3, 2, 2))
    crystal.rattle(0.05, rng=rng)
    odd = [crystal, Atoms("C"), Atoms()]
    return [*frames, *(odd[k] for k in range(3) if rng.random() < 0.4)]


@cache
def two_terms():
    rng = np.random.default_rng(5)
    frames = [
        morse_labels(random_structure(rng, SYMBOLS, 6, (1, 1, k % 2), min_distance=1.7))
        for k in range(8)
    ]
    soaps = [smooth_soap(SYMBOLS, r_cut=c, n_max=3, l_max=2) for c in (3.5, 2.8)]
    return make(soaps, frames, n_inducing=15)


def models():
    with_baselines = replace(three_species(), baselines=(ZBL(1.0, 2.2), Whole()))
    with_pairs = replace(three_species(), baselines=(ZBL(1.0, 2.2),))
    return [three_species(), with_baselines, with_pairs, two_terms()]


def check(potential, frames, atoms_at_once=60, **options):
    """Equal to one call each to rounding, and with threads to the last bit."""
    with patch.object(many, "ATOMS", atoms_at_once):
        found = potential.evaluate_many(frames, **options)
        threaded = potential.evaluate_many(frames, threads=3, **options)
    assert len(found) == len(threaded) == len(frames)
    for atoms, out, again in zip(frames, found, threaded):
        expected = potential.evaluate(atoms, **options)
        assert type(out) is type(expected) and type(out.energy) is float
        assert out.energy == pytest.approx(expected.energy, rel=1e-9, abs=1e-9)
        assert again.energy == out.energy
        for name in ARRAYS:
            one, other = getattr(out, name), getattr(expected, name)
            assert (one is None) == (other is None)
            if one is not None:
                # Variances that vanish are differences of numbers near one.
                atol = 1e-5 if "std" in name else 1e-9
                np.testing.assert_allclose(one, other, rtol=1e-6, atol=atol, err_msg=name)
                np.testing.assert_array_equal(getattr(again, name), one)


@given(seeds, st.integers(0, 12), st.sampled_from([{}, {"force_std": True}, FULL]))
@settings(max_examples=15)
def test_a_batch_equals_one_call_each(seed, n_structures, options):
    frames = random_frames(seed, n_structures)
    for potential in models():
        check(potential, frames, **options)


def test_one_chunk_or_many():
    frames = random_frames(3, 9)
    for atoms_at_once in (1, 7, 10_000):
        check(three_species(), frames, atoms_at_once)


def test_blocks_that_end_within_a_structure():
    """More centres of a species than one block holds, over many structures."""
    frames = [morse_labels(random_structure(np.random.default_rng(k), SYMBOLS, 7, (1, 1, 1)))
              for k in range(60)]  # fmt: skip
    check(three_species(), frames, 10_000)


def test_uncertainty_in_the_words_of_the_calculator():
    potential, frames = three_species(), random_frames(1, 4)
    for word, options in ((True, {"force_std": True}), ("local", {"local_std": True}), (False, {})):
        found = potential.evaluate_many(frames, word)
        for a, b in zip(found, potential.evaluate_many(frames, **options)):
            np.testing.assert_equal((a.energies_std, a.forces_std), (b.energies_std, b.forces_std))
    for word in ("full", 1, None):
        with pytest.raises(GapyError, match=r"uncertainty: expected one of .* got .*predict"):
            potential.evaluate_many(frames, word)


def test_sigmas_of_many_points_to_single_precision():
    """From 128 points on, sigmas are computed in mixed precision where there are many centres."""
    frames = gapy.data.frames("si", "train")[1::2]
    potential = make(smooth_soap(["Si"], r_cut=4.5, n_max=4, l_max=3), frames, n_inducing=250)
    cells = [bulk("Si", a=a) for a in np.linspace(5.2, 5.8, 12)]
    for k, atoms in enumerate(cells):
        atoms.rattle(0.1, seed=k)
    assert potential.indicator_blocks[0].posterior.mixed is not None
    for out, atoms in zip(potential.evaluate_many(cells, **FULL), cells):
        expected = potential.evaluate(atoms, **FULL)
        np.testing.assert_allclose(out.forces_std, expected.forces_std, rtol=1e-3)
        np.testing.assert_allclose(out.energies_std, expected.energies_std, rtol=1e-2)


def test_descriptors_of_whole_structures_go_one_by_one():
    frames = [morse_labels(bulk("Si", a=a)) for a in (5.2, 5.4, 5.6)]
    acsf = ACSF(r_cut=4.0, g2_params=[[1.0, 1.0]], species=["Si"], periodic=True)
    potential = make(acsf, frames, n_inducing=3)
    for out, atoms in zip(potential.evaluate_many(frames), frames):
        np.testing.assert_array_equal(out.forces, potential.evaluate(atoms).forces)


def test_no_structures_and_other_ways_to_give_them():
    potential, rng = three_species(), np.random.default_rng(2)
    frames = [morse_labels(random_structure(rng, SYMBOLS, n)) for n in (2, 3, 4)]
    assert potential.evaluate_many([]) == []
    expected = [out.energy for out in potential.evaluate_many(frames)]
    labelled = from_atoms(frames)
    for given_ in (iter(frames), tuple(frames), labelled):
        assert [out.energy for out in potential.evaluate_many(given_)] == expected


def not_images():
    soap = smooth_soap(["Si"], r_cut=3.5, n_max=2, l_max=1, periodic=False)
    molecules = [morse_labels(Atoms("Si2", [[0, 0, 0], [0, 0, d]])) for d in (2.0, 2.3, 2.6)]
    return make(soap, molecules, n_inducing=3)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (molecule("NH3"), SpeciesError, r"fitted for \['C', 'O', 'Si'\].*\['H', 'N'\]"),
        (Atoms("C2", [[0, 0, 0], [0, 0, 1e-9]]), StructureError, "atoms 0 and 1 are on top"),
        (Atoms("C", pbc=True), StructureError, "cell: periodic directions"),
        (Atoms("C", [[0, 0, np.nan]]), StructureError, "positions: expected finite"),
        ([1, 2], StructureError, "expected ase.Atoms, got list"),
        (None, StructureError, "expected ase.Atoms, got NoneType"),
    ],
)
def test_an_error_names_the_structure(bad, error, message):
    frames = [Atoms("C"), bulk("Si"), Atoms("O2", [[0, 0, 0], [0, 0, 1.2]])]
    for at_once in (1, 3, 2048):
        refused = pytest.raises(error, match=r"^structures\[3\]: .*" + message)
        with patch.object(many, "ATOMS", at_once), refused:
            three_species().evaluate_many([*frames, bad, *frames])


def test_images_that_the_model_does_not_see_are_refused():
    with pytest.raises(StructureError, match=r"structures\[1\]: pbc: .*periodic=False"):
        not_images().evaluate_many([Atoms("Si"), bulk("Si")])


@pytest.mark.parametrize("given_", [bulk("Si"), None, 3])
def test_what_is_no_list_is_refused(given_):
    with pytest.raises(GapyError, match=r"structures: expected a list of ase\.Atoms, got .*give"):
        three_species().evaluate_many(given_)
