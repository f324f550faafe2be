"""Properties of molecules with ASE's EMT against ASE and by hand."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.emt import EMT
from ase.optimize import BFGS
from ase.vibrations import Vibrations

from gapy.errors import GapyError
from gapy.properties import bond_scan, geometry, torsion_scan, vibrations


def test_geometry_and_frequencies_are_those_of_ase(tmp_path):
    water = molecule("H2O")
    water.calc = EMT()
    BFGS(water, logfile=None).run(fmax=1e-4)
    found = geometry(EMT(), molecule("H2O"), force=1e-4)
    assert found.numbers()["H-O"] == pytest.approx(water.get_distance(0, 1), abs=1e-3)
    assert found.angles[1, 0, 2] == pytest.approx(water.get_angle(1, 0, 2), abs=0.5)
    ase = Vibrations(water, name=str(tmp_path / "vib"))
    ase.run()
    frequencies = ase.get_frequencies()[-3:].real
    own = vibrations(EMT(), molecule("H2O"), force=1e-4)
    np.testing.assert_allclose(own.frequencies, frequencies, rtol=0.01)
    assert vibrations(EMT(), Atoms("N2", [[0, 0, 0], [0, 0, 1.1]])).frequencies.shape == (1,)


def test_scans_move_one_side_of_a_bond():
    ethane = molecule("C2H6")
    lengths = [1.4, 1.5, 1.6]
    found = bond_scan(EMT(), ethane, (0, 1), lengths)
    for length, frame in zip(lengths, found.frames()):
        assert frame.get_distance(0, 1) == pytest.approx(length)
        alone = frame.copy()
        alone.calc = EMT()
        assert frame.get_potential_energy() == pytest.approx(alone.get_potential_energy())
        for j in range(2, 8):
            near = 0 if ethane.get_distance(0, j) < ethane.get_distance(1, j) else 1
            assert frame.get_distance(near, j) == pytest.approx(ethane.get_distance(near, j))
    energies = [f.get_potential_energy() for f in found.frames()]
    np.testing.assert_allclose(found.energies, np.array(energies) - min(energies))
    near = [j for j in range(2, 8) if ethane.get_distance(0, j) < ethane.get_distance(1, j)]
    far = [j for j in range(2, 8) if j not in near]
    turned = torsion_scan(EMT(), ethane, (near[0], 0, 1, far[0]), [60.0, 180.0, 300.0])
    energies = [f.get_potential_energy() for f in turned.frames()]
    np.testing.assert_allclose(energies, energies[0], atol=1e-3)  # three equal minima
    assert turned.frames()[1].get_dihedral(near[0], 0, 1, far[0]) == pytest.approx(180.0)


def test_a_ring_has_no_sides():
    with pytest.raises(GapyError, match="ring"):
        bond_scan(EMT(), molecule("C6H6"), (0, 1), [1.4])
    with pytest.raises(GapyError, match="displacement"):
        vibrations(EMT(), molecule("H2O"), displacement=0.0)
