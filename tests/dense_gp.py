"""A dense Gaussian process on features, which shares no code with gapy, and small fits."""

import numpy as np
from dscribe.descriptors import SOAP
from helpers import along_atom, along_strain, morse_labels, random_structure

from gapy import SparseGPRegressor
from gapy.gp import selection


def tiny_soap(species=("Si", "C"), **options):
    """Six features whatever the species: zeta = 2 spans 21 dimensions."""
    weighting = {"function": "poly", "r0": 3.5, "c": 1.0, "m": 1.0, "w0": 0.3}
    weights = dict(zip(species, (1.0, 0.6)))
    compression = {"mode": "mu2", "species_weighting": weights}
    settings = {"weighting": weighting, "periodic": True, "compression": compression}
    return SOAP(
        species=list(species), r_cut=3.5, n_max=2, l_max=1, sigma=0.5, **settings, **options
    )


def frames(n, seed=0, n_atoms=4, symbols=("Si", "C"), keep=("energy", "forces", "stress"), **kw):
    """Labelled random structures of varied density and periodicity."""
    rng = np.random.default_rng(seed)
    out = []
    for k in range(n):
        options = {
            "pbc": [(1, 1, 1), (1, 1, 0), (1, 1, 1)][k % 3],
            "length": rng.uniform(3.2, 4.6),
            "min_distance": rng.uniform(1.6, 2.0),
        } | kw
        atoms = morse_labels(random_structure(rng, symbols, n_atoms, **options))
        for kind in {"energy", "forces", "stress"} - set(keep):
            atoms.info.pop(f"REF_{kind}", None)
            atoms.arrays.pop(f"REF_{kind}", None)
        out.append(atoms)
    return out


def regressor(soap=None, **options):
    settings = {
        "n_inducing": 40, "zeta": 2, "e0": "zero", "sigma_energy": 0.02, "sigma_forces": 0.1,
        "sigma_stress": 0.01,
    }  # fmt: skip
    return SparseGPRegressor(soap or tiny_soap(), **{**settings, **options})


def features(compiled, atoms, zeta):
    """phi_i with k(i, j) = phi_i . phi_j: the zeta-fold tensor power, in its species' block."""
    x = compiled.create(atoms)
    x = x / np.linalg.norm(x, axis=1)[:, None]
    power = x
    for _ in range(zeta - 1):
        power = np.einsum("if,id->ifd", power, x).reshape(len(x), -1)
    out = np.zeros((len(x), len(compiled.species), power.shape[1]))
    out[np.arange(len(x)), [compiled.species.index(z) for z in atoms.numbers]] = power
    return out.reshape(len(x), -1)


def functionals(compiled, atoms, zeta, kinds=("energy", "forces", "stress")):
    """Feature vectors of the labels, by kind, from the definition of each label."""

    def total(a):
        return features(compiled, a, zeta).sum(axis=0)

    out = {"local": features(compiled, atoms, zeta)}
    if "energy" in kinds:
        out["energy"] = total(atoms)[None]
    if "forces" in kinds:
        out["forces"] = -np.array(
            [along_atom(total, atoms, j, c) for j in range(len(atoms)) for c in range(3)]
        )
    if "stress" in kinds:
        strain = np.array([along_strain(total, atoms, v) for v in range(6)])
        out["stress"] = strain / atoms.get_volume()
    return out


def labels(atoms):
    """Kind -> flat label array of what the structure has."""
    out = {}
    if "REF_energy" in atoms.info:
        out["energy"] = np.array([atoms.info["REF_energy"]])
    if "REF_forces" in atoms.arrays:
        out["forces"] = atoms.arrays["REF_forces"].ravel()
    if "REF_stress" in atoms.info:
        out["stress"] = np.asarray(atoms.info["REF_stress"])
    return out


METHODS = sorted(selection.METHODS)
