"""Random labelled frames."""

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import strategies as st

from gapy.structures import (
    LabelledStructure,
    from_atoms,
)

seeds = st.integers(0, 2**31)


def random_frame(rng, n_atoms=None, *, labels=("energy", "forces", "stress")):
    """Atoms on a jittered grid in a triclinic cell, with random labels under the default keys."""
    n_atoms = rng.integers(1, 9) if n_atoms is None else n_atoms
    grid = 3.0 * np.array(list(np.ndindex(2, 2, 2)))[:n_atoms]
    atoms = Atoms(
        rng.choice(["Si", "O", "Al"], n_atoms),
        grid + rng.uniform(-0.3, 0.3, (n_atoms, 3)),
        cell=6.0 * np.eye(3) + rng.uniform(-0.3, 0.3, (3, 3)),
        pbc=rng.integers(0, 2, 3).astype(bool),
    )
    if "energy" in labels:
        atoms.info["REF_energy"] = rng.normal(-100, 10)
    if "forces" in labels:
        atoms.arrays["REF_forces"] = rng.normal(size=(n_atoms, 3))
    if "stress" in labels:
        atoms.info["REF_stress"] = 0.01 * rng.normal(size=6)
    atoms.info["config_type"] = str(rng.choice(["liquid", "slab"]))
    return atoms


def as_results(atoms, **more):
    """The same frame with its labels as results of a calculator."""
    plain = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    results = {
        "energy": atoms.info["REF_energy"],
        "forces": atoms.arrays["REF_forces"],
        "stress": atoms.info["REF_stress"],
    }
    plain.calc = SinglePointCalculator(plain, **{**results, **more})
    return plain


def assert_equal(a: LabelledStructure, b: LabelledStructure, atol=1e-7):
    """Same structure and labels, up to the digits that extended XYZ writes."""
    assert (a.atoms.numbers == b.atoms.numbers).all() and (a.atoms.pbc == b.atoms.pbc).all()
    np.testing.assert_allclose(a.atoms.positions, b.atoms.positions, atol=atol)
    np.testing.assert_allclose(a.atoms.cell, b.atoms.cell, atol=atol)
    for kind in ("energy", "forces", "stress"):
        one, other = getattr(a, kind), getattr(b, kind)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, atol=atol)


# Checks


def labelled(atoms, **info):
    atoms.info.update({"REF_energy": -1.0, **info})
    return from_atoms(atoms, source="si.xyz")[0]
