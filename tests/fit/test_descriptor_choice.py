"""One SOAP or two, and with which compression, by left-out errors."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.morse import MorsePotential
from ase.io import write
from helpers import labelled_frames

import gapy
from gapy.descriptors import smooth_soap
from gapy.fit.descriptor_choice import choose_mixing, choose_sum, fewer_of_each
from gapy.fit.exponent import FEWEST
from gapy.structures import from_atoms

WIDE = smooth_soap(["Cu"], r_cut=4.6, n_max=3, l_max=2)
SHORT = smooth_soap(["Cu"], r_cut=3.0, n_max=3, l_max=2)


@pytest.fixture(scope="module")
def structures():
    """Of a force that reaches farther than the short SOAP sees."""
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(120):
        atoms = bulk("Cu", a=rng.uniform(3.4, 4.2), cubic=True)
        atoms.rattle(0.15, rng=rng)
        atoms.calc = MorsePotential(epsilon=0.4, r0=2.6, rho0=3.0, rcut1=4.0, rcut2=4.5)
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        frames.append(atoms)
    return from_atoms(frames)


def regressor(soap):
    return gapy.SparseGPRegressor(soap, 40, 2, optimize=True, e0="zero")


def test_two_where_one_does_not_see_enough(structures):
    one = regressor(SHORT)
    choice = choose_sum(one, [WIDE, SHORT], structures)
    assert choice.other and choice.gain > 3 * choice.error and choice.gain > 0.1
    assert choice.errors["forces"][1] < 0.7 * choice.errors["forces"][0]
    assert one.get_params()["descriptor"] is SHORT  # it is left as it was
    again = choose_sum(one, [WIDE, SHORT], structures[::-1])
    assert again.gain == pytest.approx(choice.gain, rel=1e-6)


def test_one_where_it_sees_everything(structures):
    # The same again: what a short SOAP finds beside a wide one depends on the noise that is learnt.
    choice = choose_sum(regressor(WIDE), [WIDE, WIDE], structures)
    assert not choice.other and choice.gain < 0.1


def test_total_density_where_species_hardly_differ():
    """Three names of one element: products of densities by species only scatter the data."""
    rng = np.random.default_rng(1)
    frames = []
    for _ in range(100):
        atoms = bulk("Cu", a=rng.uniform(3.5, 4.0), cubic=True)
        atoms.rattle(0.15, rng=rng)
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        atoms.symbols = rng.choice(["Cu", "Ag", "Au"], len(atoms))
        frames.append(atoms)
    basis = {"species": ["Cu", "Ag", "Au"], "r_cut": 4.0, "n_max": 4, "l_max": 3}
    one = regressor(smooth_soap(**basis)).set_params(n_inducing=60)
    total = smooth_soap(**basis, compression={"mode": "mu1nu1"})
    choice = choose_mixing(one, total, from_atoms(frames))
    assert choice.other and choice.errors["forces"][1] < choice.errors["forces"][0]
    back = choose_mixing(one.set_params(descriptor=total), smooth_soap(**basis), from_atoms(frames))
    assert not back.other and back.gain < 0.0


def test_too_few_to_tell(structures):
    choice = choose_sum(regressor(SHORT), [WIDE, SHORT], structures[: FEWEST - 1])
    assert not choice.other and choice.gain is None


def test_points_of_each():
    assert fewer_of_each(100) == 70
    assert fewer_of_each({"Al": 100, "Cu": 1}) == {"Al": 70, "Cu": 1}


@pytest.mark.parametrize(
    "flags, said", [((), True), (("--terms", "soap"), False), (("--r-cut", "4.0"), False)]
)
def test_the_command_says_why(cli, tmp_path, flags, said):
    write(tmp_path / "t.xyz", labelled_frames(100, seed=3))
    out = cli(
        "fit", tmp_path / "t.xyz", "-o", tmp_path / "m.gapy", "--n-inducing", 20, "--n-max", 3,
        "--l-max", 2, *flags,
    )  # fmt: skip
    assert out.code == 0, out.err
    assert ("by left-out errors of" in out.out and "two must gain" in out.out) == said
    assert ("mu1nu1 must gain 30 %" in out.out) == (not flags)
