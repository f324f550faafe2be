"""A sum of everything, ZBL, two SOAPs and pairs, in molecular dynamics: no drift, no seam."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from helpers import labelled_frames

import gapy
from gapy.descriptors import smooth_soap


@pytest.fixture(scope="module")
def potential():
    wide = smooth_soap(["Al", "Cu"], r_cut=4.6, n_max=3, l_max=2, sigma=0.6)
    short = smooth_soap(["Al", "Cu"], r_cut=3.2, n_max=3, l_max=3, sigma=0.4)
    terms = [wide, gapy.TermSettings(short, zeta=4), gapy.Pair(r_cut=4.1, transition=1.5)]
    gp = gapy.SparseGPRegressor(terms, 25, 2, optimize=True)
    return gp.fit(labelled_frames(24, seed=1)).potential_


def test_energy_is_conserved_with_everything_switched_on(potential):
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.numbers[::2] = 13
    atoms.calc = potential.calculator()
    width = np.sqrt(atoms.get_masses() * 600 * units.kB)
    atoms.set_momenta(np.random.default_rng(0).normal(size=(len(atoms), 3)) * width[:, None])
    dynamics = VelocityVerlet(atoms, 1.0 * units.fs)
    energies = []
    for _ in range(60):
        dynamics.run(5)
        energies.append(atoms.get_total_energy())
    drift = np.polyfit(np.arange(60) * 5e-3, energies, 1)[0] / len(atoms)  # eV/atom/ps
    assert abs(drift) < 2e-4
    assert np.ptp(energies) / len(atoms) < 2e-3
    assert [b.kind for b in potential.baselines] == ["zbl"] and len(potential.terms) == 3


@pytest.mark.parametrize("pair", ["Al2", "AlCu", "Cu2"])
def test_no_seam_at_any_cutoff(potential, pair):
    """Energy and force are continuous where ZBL, each SOAP and the pair term end."""
    ends = [*(t.descriptor.cutoff for t in potential.terms)]
    ends += [outer for _, outer in potential.baselines[0].switches.values()]
    for end in ends:
        at = [Atoms(pair, [[0, 0, 0], [end + d, 0, 0]]) for d in (-1e-5, 1e-5)]
        one, other = map(potential.evaluate, at)
        slope = abs(one.forces[1, 0])
        assert abs(one.energy - other.energy) < 1e-7 + 3e-5 * slope
        np.testing.assert_allclose(one.forces, other.forces, atol=1e-5 + 3e-4 * slope)
