"""The automatic descriptor: the right cutoff for known crystals and molecules, and what is given
stays."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from helpers import images_within

import gapy
from gapy.descriptors import auto_soap
from gapy.errors import GapyError


def rattled(atoms, n=4, scale=0.05, seed=0):
    rng = np.random.default_rng(seed)
    copies = [atoms.copy() for _ in range(n)]
    for copy in copies:
        copy.rattle(scale, rng=rng)
    return copies


def test_cutoff_is_the_median_distance_of_the_30th_neighbour():
    frames = rattled(bulk("Si", cubic=True))
    nth = []
    for atoms in frames:
        pairs = images_within(atoms, 6.5)
        for i in range(len(atoms)):
            nth.append(sorted(np.linalg.norm(v) for k, _, v in pairs if k == i)[29])
    chosen = auto_soap(frames)
    assert chosen.r_cut == pytest.approx(np.median(nth), abs=0.05 + 1e-9)
    assert "30 neighbours" in chosen.reasons["r_cut"]


@pytest.mark.parametrize(
    ("atoms", "least", "most"),
    [
        (bulk("Si", cubic=True), 5.3, 5.6),
        (bulk("Mo", cubic=True), 5.0, 5.4),
        (bulk("Cu", cubic=True), 4.2, 4.6),
        (bulk("AlAs", "zincblende", 5.65, cubic=True), 5.5, 5.8),
        (molecule("CH3CH2OH"), 4.0, 5.0),
        (molecule("N2"), 4.0, 4.0),
        (Atoms("Ar", pbc=False), 5.0, 5.0),
    ],
    ids=lambda value: value.get_chemical_formula() if isinstance(value, Atoms) else "",
)
def test_cutoff_of_what_is_known(atoms, least, most):
    frames = [atoms] if len(atoms) == 1 else rattled(atoms)
    assert least <= auto_soap(frames).r_cut <= most


def test_cutoff_scales_with_the_crystal():
    """A crystal of twice the atomic volume: the cutoff grows with the lattice constant."""
    small, large = (auto_soap(rattled(bulk("Cu", a=a, cubic=True))).r_cut for a in (3.8, 3.8 * 1.2))
    assert large / small == pytest.approx(1.2, abs=0.03)


def test_sparse_and_dense_extremes_are_bounded():
    assert auto_soap(rattled(bulk("Cs", a=9.0, cubic=True), scale=0.01)).r_cut <= 6.5
    assert auto_soap(rattled(bulk("Cu", a=2.0, cubic=True), scale=0.01)).r_cut == 4.0


def test_hydrogen_is_not_counted_but_makes_the_density_sharper():
    bare = bulk("Si", cubic=True)
    rng = np.random.default_rng(1)
    covered = bare + Atoms("H8", bare.positions + 1.0)
    frames = rattled(covered, scale=0.01, seed=int(rng.integers(9)))
    chosen = auto_soap(frames)
    assert chosen.r_cut == auto_soap([f[f.numbers == 14] for f in frames]).r_cut
    assert "not hydrogen" in chosen.reasons["r_cut"]
    assert (chosen.sigma, auto_soap([bare]).sigma) == (0.4, 0.5)
    assert auto_soap(rattled(bulk("H", "sc", 1.8, cubic=True))).r_cut >= 4.0


def test_many_species_are_compressed():
    atoms = bulk("Cu", cubic=True).repeat(2)
    few, many = atoms.copy(), atoms.copy()
    few.symbols = ["Cu", "Ni", "Fe", "Cu"] * 8
    many.symbols = ["Cu", "Ni", "Fe", "Cr"] * 8
    assert auto_soap([few]).compression == "off"
    chosen = auto_soap([many])
    assert chosen.compression == "mu1nu1" and "4 species" in chosen.reasons["compression"]
    assert chosen.soap.get_number_of_features() < 2000


def test_free_atoms_of_other_species_change_nothing():
    frames = rattled(bulk("Si", cubic=True), n=8)
    alone, with_atoms = auto_soap(frames), auto_soap([*frames, *map(Atoms, ("C", "N", "O"))])
    for name in ("r_cut", "n_max", "l_max", "compression"):
        assert getattr(alone, name) == getattr(with_atoms, name)
    assert set(with_atoms.n_inducing) == {"C", "N", "O", "Si"}  # the fit needs them all


def test_what_is_given_stays_and_needs_no_reason():
    frames = rattled(bulk("Si", cubic=True))
    chosen = auto_soap(frames, r_cut=4.2, n_max=3, l_max=0, sigma=0.7, compression="mu2", zeta=3)
    found = (chosen.r_cut, chosen.n_max, chosen.l_max, chosen.sigma, chosen.compression)
    assert found == (4.2, 3, 0, 0.7, "mu2") and chosen.zeta == 3
    assert set(chosen.reasons) == {"n_inducing"}
    assert chosen.soap._r_cut == 4.2 and chosen.soap.get_number_of_features() == 6


def test_inducing_points_grow_with_the_data():
    crystal = bulk("Si", cubic=True)
    alone = auto_soap([crystal]).n_inducing
    assert alone == {"Si": 8}
    some = auto_soap([crystal.repeat(4)] * 10, r_cut=5.0).n_inducing  # 5120 atoms
    more = auto_soap([crystal.repeat(5)] * 80, r_cut=5.0).n_inducing  # 80 000 atoms
    assert some == {"Si": 1000} and more == {"Si": 2000}
    alloy = crystal.copy()
    alloy.symbols = ["Si", "Ge", "Sn", "C"] * 2
    points = auto_soap([alloy.repeat(5)] * 40, r_cut=5.0).n_inducing
    assert sum(points.values()) == 2000 and set(points.values()) == {500}


def test_bad_input():
    with pytest.raises(GapyError, match="structures: expected at least one atom"):
        auto_soap([])
    with pytest.raises(GapyError, match="SOAP settings refused"):
        auto_soap([bulk("Si")], r_cut=0.5)


def test_the_soap_fits(train_frames):
    chosen = auto_soap(train_frames, n_max=2, l_max=1)
    gp = gapy.SparseGPRegressor(chosen.soap, n_inducing=chosen.n_inducing).fit(train_frames)
    assert gp.score(train_frames) > 0.5
