"""The potential at work: strain, relaxation, phonons, dynamics."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.eos import EquationOfState
from ase.filters import FrechetCellFilter
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from ase.phonons import Phonons
from dscribe.descriptors import SOAP
from helpers import (
    along_atom,
    along_strain,
    morse_labels,
    random_structure,
    stillinger_weber,
)
from potential_helpers import make, three_species

from gapy.descriptors import smooth_soap


@pytest.fixture
def potential():
    return three_species()


@pytest.fixture(scope="module")
def silicon():
    """Diamond silicon, strained and rattled, labelled with the Stillinger-Weber potential."""
    rng = np.random.default_rng(1)
    frames = []
    for k in range(16):
        atoms = bulk("Si", cubic=True)
        strain = np.eye(3) * (1 + 0.01 * (k % 7 - 3)) + rng.normal(0, 0.01, (3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.rattle(0.015 * k, seed=k)
        frames.append(stillinger_weber(atoms))
    soap = smooth_soap(["Si"], r_cut=4.2, n_max=5, l_max=4)
    return make(soap, frames, n_inducing=80, sigma_energy=0.001, sigma_forces=0.02)


def test_stress_is_the_response_of_the_calculator_to_strain(silicon):
    """ASE's own finite differences agree, with its sign and Voigt order."""
    from ase.calculators.fd import calculate_numerical_stress

    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=2)
    atoms.calc = silicon.calculator()
    numerical = calculate_numerical_stress(atoms, eps=1e-4)
    np.testing.assert_allclose(atoms.get_stress(), numerical, atol=1e-6)


def test_relaxation_of_positions_and_cell(silicon):
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=0)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.02 * np.arange(9).reshape(3, 3) / 9), True)
    atoms.calc = silicon.calculator()
    assert BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-3, steps=100)
    assert np.abs(atoms.get_forces()).max() < 1e-3
    assert np.abs(atoms.get_stress()).max() * atoms.get_volume() < 1e-2
    assert atoms.get_volume() / 8 == pytest.approx(20.02, rel=0.01)  # 5.431 A cubed
    assert atoms.get_potential_energy() / 8 == pytest.approx(-4.3366, abs=0.005)


def test_equation_of_state_agrees_with_the_stress(silicon):
    volumes, energies, pressures = [], [], []
    for a in np.linspace(5.33, 5.53, 9):
        atoms = bulk("Si", a=a)
        atoms.calc = silicon.calculator()
        volumes.append(atoms.get_volume())
        energies.append(atoms.get_potential_energy())
        pressures.append(-atoms.get_stress()[:3].mean())
    v0, _, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
    assert v0 == pytest.approx(2 * 20.02, rel=0.01)
    assert modulus / units.GPa == pytest.approx(101, rel=0.15)
    slope = np.polyfit(volumes, pressures, 3)
    assert np.polyval(slope, v0) == pytest.approx(0.0, abs=1e-3 * modulus)
    assert -v0 * np.polyval(np.polyder(slope), v0) == pytest.approx(modulus, rel=0.02)


def test_phonons(silicon, tmp_path):
    phonons = Phonons(
        bulk("Si", a=5.431), silicon.calculator(), supercell=(3, 3, 3), delta=0.01,
        name=str(tmp_path / "ph"),
    )  # fmt: skip
    phonons.run()
    phonons.read(acoustic=True)
    gamma, x, also_x = phonons.band_structure(
        [[0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5]], verbose=False
    )
    assert np.abs(gamma[:3]).max() < 1e-3  # eV
    np.testing.assert_allclose(gamma[3:], gamma[3], rtol=1e-3)
    assert gamma[3] == pytest.approx(0.0745, rel=0.06)  # 18.0 THz
    assert x.min() > 0.015, "a stable crystal has no soft mode"
    np.testing.assert_allclose(x, also_x, rtol=1e-3)


def test_stillinger_weber_labels_are_consistent():
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=3)
    stillinger_weber(atoms)

    def energy(a):
        return stillinger_weber(a.copy()).info["REF_energy"]

    assert atoms.arrays["REF_forces"][2, 1] == pytest.approx(
        -along_atom(energy, atoms, 2, 1), abs=1e-6
    )
    stress = along_strain(energy, atoms, 4) / atoms.get_volume()
    assert atoms.info["REF_stress"][4] == pytest.approx(stress, abs=1e-8)


@pytest.mark.slow
def test_energy_is_conserved_in_molecular_dynamics(silicon):
    """64 silicon atoms at 300 K, 1 fs: drift below 0.02 meV per atom and picosecond."""
    atoms = bulk("Si", cubic=True).repeat(2)
    assert len(atoms) == 64
    atoms.calc = silicon.calculator()
    # Half of the kinetic energy goes into the springs: start at twice the temperature.
    sigma = np.sqrt(units.kB * 600 * atoms.get_masses())[:, None]
    momenta = sigma * np.random.default_rng(2).normal(size=(64, 3))
    atoms.set_momenta(momenta - momenta.mean(axis=0))
    dynamics = VelocityVerlet(atoms, 1.0 * units.fs)
    dynamics.run(300)
    times, totals, temperatures = [], [], []
    for step in range(1500):
        dynamics.run(1)
        times.append(step * 1e-3)
        totals.append(atoms.get_total_energy() / len(atoms))
        temperatures.append(atoms.get_temperature())
    assert 250 < np.mean(temperatures) < 350
    drift = np.polyfit(times, totals, 1)[0] * 1000.0  # meV / atom / ps
    assert abs(drift) < 0.02
    assert np.std(totals) < 5e-5  # eV / atom: the integrator's ripple


def test_smooth_and_rough_descriptors_in_one_place():
    """The reason for the warning: without a weighting the energy jumps at the cutoff."""
    rng = np.random.default_rng(12)
    frames = [morse_labels(random_structure(rng, ("Si",), 5)) for _ in range(5)]
    rough = SOAP(species=["Si"], r_cut=3.0, n_max=3, l_max=3, sigma=0.4, periodic=True)
    with pytest.warns(UserWarning, match="energy jumps"):
        rough = make(rough, frames)
    smooth = make(smooth_soap(["Si"], r_cut=3.0, n_max=3, l_max=3, sigma=0.4), frames)
    jumps = []
    for potential in (rough, smooth):
        e = [
            potential.evaluate(Atoms("Si3", [[0, 0, 0], [2.2, 0, 0], [0, 0, r]])).energy
            for r in potential.cutoff + np.array([-1e-7, 1e-7])
        ]
        jumps.append(abs(e[1] - e[0]))
    assert jumps[0] > 1e-6 > 1e-11 > jumps[1]
