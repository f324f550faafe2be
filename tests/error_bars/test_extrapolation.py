"""The calibrated force sigma beyond the data: it grows, and does not come back."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from extrapolation_helpers import dimer
from helpers import images_within, labelled_frames, random_rotation

import gapy
from gapy.data import frames
from gapy.descriptors import as_descriptor, smooth_soap
from gapy.error_bars import calibration
from gapy.error_bars.extrapolation import Contacts, learn_extrapolation
from gapy.geometry.pairs import pairs_within
from gapy.gp.frames import Frames
from gapy.gp.neighbourhood import worst_around

DIAMOND = ("diamond_strain", "diamond_rattled", "diamond_volume")
A = 5.43


def _excess(one, x_id):
    norm = np.linalg.norm(x_id, axis=1)
    return one.excess(x_id / norm[:, None], norm)


def sigma(potential, atoms):
    return potential.evaluate(atoms, force_std=True).forces_std


@pytest.fixture(scope="module")
def diamond():
    """Shipped silicon: diamond cells of 2 and 8 atoms, of many volumes and strains."""
    return [a for a in frames("si", "train") if a.info["config_type"] in DIAMOND][::2]


@pytest.fixture(scope="module")
def silicon(diamond):
    soap = smooth_soap(["Si"], r_cut=5.0, n_max=4, l_max=3)
    return gapy.SparseGPRegressor(soap, n_inducing=60, optimize=True).fit(diamond).potential_


@pytest.fixture(scope="module")
def usual(silicon, diamond):
    """The largest sigma among the training structures, eV/A."""
    return max(sigma(silicon, a).max() for a in diamond)


def at_volume(atoms, ratio):
    out = atoms.copy()
    out.set_cell(out.cell * np.cbrt(ratio), scale_atoms=True)
    return out


def rattled():
    atoms = bulk("Si", "diamond", A, cubic=True)
    atoms.rattle(0.1, seed=0)
    return atoms


SHAPES = {
    "diamond": bulk("Si", "diamond", A, cubic=True),
    "rattled": rattled(),
    "fcc": bulk("Si", "fcc", 3.87),
    "sc": bulk("Si", "sc", 2.53),
    "chain": Atoms("Si", cell=[2.3, 15, 15], pbc=(True, False, False)),
}


def test_the_data_leave_sigma_small(usual):
    assert 0.005 < usual < 0.2


def test_sigma_grows_as_two_atoms_meet(silicon, usual):
    """Free atoms are unlike diamond to begin with; then no step down on the way in."""
    apart = [sigma(silicon, dimer("Si2", d)).min() for d in np.arange(6.0, 0.3, -0.1)]
    assert min(apart) > 20 * usual
    near = np.array([sigma(silicon, dimer("Si2", d)).min() for d in np.arange(2.1, 0.3, -0.1)])
    assert (np.diff(near) > 0).all()
    assert near[-1] > 5 * near[0]


@pytest.mark.parametrize("symbols", ["Cu2", "Al2", "AlCu"])
def test_sigma_grows_as_two_metal_atoms_meet(two_metals, symbols):
    """Also for Al and Cu, which were never seen together: no plateau at short distance."""
    potential = two_metals.potential_
    near = np.array([sigma(potential, dimer(symbols, d)).min() for d in np.arange(1.9, 0.3, -0.1)])
    assert (np.diff(near) > 0).all()
    steps = np.diff(near)
    assert near[-1] > 5 * near[0] and steps[-1] > 2 * steps[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_sigma_grows_on_compression(silicon, usual, shape):
    grown = [sigma(silicon, at_volume(SHAPES[shape], v)).min() for v in np.arange(0.7, 0.29, -0.05)]
    assert (np.diff(grown) > 0).all()
    assert grown[4] > 20 * usual  # half the volume
    assert np.diff(grown).min() > 0.2 * np.diff(grown).max()  # no plateau


@pytest.mark.parametrize("shape", ["diamond", "rattled"])
def test_sigma_grows_on_expansion(silicon, usual, shape):
    """The training set reaches to 1.3 times the volume."""
    grown = [sigma(silicon, at_volume(SHAPES[shape], v)).min() for v in np.arange(1.4, 2.01, 0.1)]
    assert (np.diff(grown) > 0).all()
    assert grown[-1] > 5 * usual


@pytest.mark.parametrize("shape", ["fcc", "sc", "chain"])
def test_an_unknown_coordination_stays_far_from_half_to_twice_the_volume(silicon, usual, shape):
    for v in np.arange(0.5, 2.01, 0.1):
        assert sigma(silicon, at_volume(SHAPES[shape], v)).min() > 10 * usual


@pytest.mark.parametrize("volume", [12.0, 20.0, 40.0])
def test_random_positions_are_far_from_crystals(silicon, usual, volume):
    rng = np.random.default_rng(1)
    edge = np.cbrt(8 * volume)
    for _ in range(5):
        atoms = Atoms("Si8", rng.uniform(0, edge, (8, 3)), cell=[edge] * 3, pbc=True)
        assert np.median(sigma(silicon, atoms)) > 10 * usual


def test_species_never_seen_together_are_far(two_metals, unmixed):
    potential = two_metals.potential_
    pure = max(sigma(potential, a).max() for a in unmixed)
    fresh = labelled_frames(24, seed=7)
    alloys = [a for a in fresh if len(set(a.numbers)) == 2]
    others = [a for a in fresh if len(set(a.numbers)) == 1]
    assert min(sigma(potential, a).min() for a in alloys) > 20 * pure
    assert max(sigma(potential, a).max() for a in others) < 10 * pure


def test_above_the_size_of_the_forces_sigma_grows_slowly():
    """A large prior variance of the energies is no force error."""
    curve = ((1e-6, 0.01), (1e-4, 0.05))
    own = calibration.ForceCalibration(curve, beyond=1.0)
    d = np.array([0.0, 1e-4, 1.0, 1e4, 1e8])
    none, one = np.zeros(5), np.full(5, 1.0 - 1e-4)
    got = own.sigma(calibration.Indicators(d, d, d, one, none))
    assert (np.diff(got) > 0).all() and got[-1] < 6.0
    assert got[:2] == pytest.approx([0.01, 0.05], rel=1e-3)
    far = own.sigma(calibration.Indicators(d, d, d, one, np.full(5, 100.0)))
    assert (far > 10.0).all()
    unknown = calibration.ForceCalibration(curve).sigma(calibration.Indicators(d, d, d, one, none))
    assert unknown[-1] == pytest.approx(5e4)


@pytest.mark.parametrize("far", [False, True])
def test_sigma_follows_the_atoms(silicon, far):
    rng = np.random.default_rng(2)
    atoms = at_volume(rattled(), 0.5) if far else rattled()
    expected = sigma(silicon, atoms)
    assert np.ptp(expected) > 1e-3 * expected.mean()
    moved = atoms.copy()
    moved.positions += rng.normal(size=3)
    order = rng.permutation(len(atoms))
    turned = atoms.copy()
    rotation = random_rotation(rng)
    turned.positions, turned.cell = atoms.positions @ rotation, atoms.cell.array @ rotation
    for other, values in (
        (moved, expected),
        (atoms[order], expected[order]),
        (turned, expected),
        (atoms.repeat((2, 1, 1)), np.tile(expected, 2)),
    ):
        np.testing.assert_allclose(sigma(silicon, other), values, rtol=1e-6)


def test_sigma_of_atoms_far_apart_is_that_of_each_group(two_metals):
    potential = two_metals.potential_
    pair, triple = dimer("AlCu", 1.8), Atoms("Cu3", [[0, 0, 0], [2.4, 0, 0], [0, 2.0, 0]])
    both = pair.copy()
    shifted = triple.copy()
    shifted.positions += 12.0
    both.extend(shifted)
    expected = np.concatenate([sigma(potential, a) for a in (pair, triple)])
    np.testing.assert_allclose(sigma(potential, both), expected, rtol=1e-9)


def test_a_loaded_model_has_the_same_sigma(silicon, two_metals, tmp_path):
    for potential, atoms in (
        (silicon, [rattled(), at_volume(rattled(), 0.5), dimer("Si2", 1.3)]),
        (two_metals.potential_, [dimer("AlCu", 1.3), labelled_frames(3, seed=9)[2]]),
    ):
        potential.save(tmp_path / "m.gapy")
        loaded = gapy.load(tmp_path / "m.gapy")
        for a in atoms:
            np.testing.assert_array_equal(sigma(loaded, a), sigma(potential, a))


def test_values_over_the_neighbourhood():
    """Half an atom's own value and half the largest around it, nearer ones counting more."""
    rng = np.random.default_rng(4)
    atoms = rattled()
    atoms.cell *= 0.8
    atoms.wrap()
    pairs = pairs_within(atoms, 4.0)
    v = rng.uniform(size=(len(atoms), 2))
    largest = v.copy()
    for i, j, r in images_within(atoms, 4.0):
        largest[i] = np.maximum(largest[i], (1.0 - r @ r / 16.0) * v[j])
    np.testing.assert_allclose(worst_around(pairs, v), 0.5 * (v + largest), rtol=1e-9)
    assert (largest > v).any() and (largest == v).any()


def excess(reach, descriptor, atoms):
    env = descriptor.environments(atoms)
    parts = [
        _excess(reach.species[slot], descriptor.values(env, b, e))
        for slot in range(len(descriptor.species))
        for b, e in env.blocks(slot, 64)
    ]
    return np.concatenate(parts)


def test_training_structures_are_within_reach(silicon, diamond):
    reach, descriptor = silicon.reach[0], silicon.terms[0].descriptor
    largest = max(excess(reach, descriptor, a).max() for a in diamond)
    assert largest < 1e-9
    assert excess(reach, descriptor, bulk("Si", "fcc", 3.87)).min() > 1.0
    distances = [a.get_all_distances(mic=True)[np.triu_indices(len(a), 1)] for a in diamond]
    shortest = min(d.min() for d in distances if len(d))
    assert reach.least_ss[0, 0] == pytest.approx(shortest)


def reach_of(descriptor, frames, known=None):
    term = gapy.TermSettings(descriptor)
    return learn_extrapolation(Frames(frames, [term]), 0, descriptor, known=known)


def test_reach_extends_with_more_structures(two_metals, unmixed):
    descriptor = as_descriptor(smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2))
    aluminium = [a for a in unmixed if a.numbers[0] == 13]
    copper = [a for a in unmixed if a.numbers[0] == 29]
    alloys = [a for a in labelled_frames(12, seed=7) if len(set(a.numbers)) == 2]
    first = reach_of(descriptor, aluminium)
    assert first.species[1] is None and first.least_ss[1].max() == 0.0
    second = reach_of(descriptor, copper, known=first)
    assert second.species[0] == first.species[0]
    np.testing.assert_array_equal(
        second.species[1].mean_d, reach_of(descriptor, copper).species[1].mean_d
    )
    far = excess(second, descriptor, alloys[0])
    assert far.min() > 1.0
    third = reach_of(descriptor, alloys, known=second)
    for a in (*unmixed, *alloys):
        assert excess(third, descriptor, a).max() < 1e-9
    for old, new in zip(second.species, third.species, strict=True):
        np.testing.assert_array_equal(new.mean_d, old.mean_d)
        np.testing.assert_array_equal(new.w_dr, old.w_dr)
        assert new.limit > old.limit
    assert third.least_ss[0, 1] > 0.0 and second.least_ss[0, 1] == 0.0
    assert (np.diag(third.least_ss) <= np.diag(second.least_ss)).all()


def test_contact_of_a_pair_never_seen():
    contacts = Contacts((6, 13, 14, 29), np.diag([2.0, 3.0, 0.0, 0.0]))
    contacts.least_ss[0, 2] = contacts.least_ss[2, 0] = 1.6
    expected = [
        [2.0, 2.5, 1.6, 0.0],
        [2.5, 3.0, 2.3, 0.0],
        [1.6, 2.3, 1.6, 0.0],
        [0.0, 0.0, 0.0, 0.0],
    ]
    np.testing.assert_allclose(contacts.contact_ss, expected)


def test_nearest_neighbours_farther_than_in_the_data():
    numbers = np.array([13, 29, 29])
    contacts = Contacts((13, 29), np.zeros((2, 2)), np.array([3.0, 0.0]), 5.0)

    def stretch(*x):
        atoms = Atoms(numbers[: len(x)], [[d, 0, 0] for d in x])
        return contacts.stretch(pairs_within(atoms, 6.0), atoms.numbers)

    np.testing.assert_allclose(stretch(0.0, 2.9), 0.0)
    # Only the first species has a largest distance; the nearest neighbour counts.
    np.testing.assert_allclose(stretch(0.0, 3.6), [1.2**2 - 1.0, 0.0])
    np.testing.assert_allclose(stretch(0.0, 3.3, 4.5), [1.1**2 - 1.0, 0.0, 0.0])
    # Over the last half A it ends smoothly, and a free atom is known.
    inside = [stretch(0.0, d)[0] for d in np.linspace(4.5, 5.0, 51)]
    assert inside[0] == pytest.approx(1.5**2 - 1.0) and inside[-1] == pytest.approx(0.0, abs=1e-12)
    assert np.abs(np.diff(inside)).max() < 0.05 and not stretch(0.0, 5.1).any()
    assert (
        not Contacts((13, 29), np.zeros((2, 2)))
        .stretch(pairs_within(Atoms(numbers[:2], [[0, 0, 0], [4.0, 0, 0]]), 6.0), numbers[:2])
        .any()
    )


def test_sigma_of_a_bond_that_is_pulled(two_metals, unmixed):
    """It rises on both sides of the data, and does not fall back until the atoms are free."""
    soap = smooth_soap(["Al", "Cu"], r_cut=4.5, n_max=3, l_max=2)
    free = Atoms("Cu", info={"REF_energy": 0.0}, cell=[9, 9, 9])
    frames = [*labelled_frames(15, seed=3), free]
    potential = gapy.SparseGPRegressor(soap, n_inducing=30, zeta=2, e0="fit").fit(frames).potential_
    (largest,) = potential.reach[0].nearest_s[1:]
    assert 2.3 < largest < 3.2

    def at(d):
        return sigma(potential, Atoms("Cu2", [[0, 0, 0], [d, 0, 0]])).max()

    pulled = [at(d) for d in np.arange(largest, 4.0, 0.05)]
    assert (pulled >= 0.8 * np.maximum.accumulate(pulled)).all()
    assert pulled[-1] > 1.5 * pulled[0]
    pushed = [at(d) for d in np.arange(0.5, 0.9, 0.05) * largest]
    assert (np.diff(pushed) < 0.0).all() and pushed[0] > 3.0 * pulled[0]
    assert at(4.6) < 0.5 * pulled[-1]


def test_partial_fit_extends_the_reach(two_metals, unmixed):
    alloys = [a for a in labelled_frames(12, seed=7) if len(set(a.numbers)) == 2]
    soap = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2)
    gp = gapy.SparseGPRegressor(soap, n_inducing=25).fit(unmixed)
    before = np.mean([sigma(gp.potential_, a).mean() for a in alloys])
    gp.partial_fit(alloys)
    assert np.mean([sigma(gp.potential_, a).mean() for a in alloys]) < 0.5 * before
