"""Row j: a force call with two species against its two products."""

from __future__ import annotations

import numpy as np
from ase.build import bulk
from ase.io import read

from peers.systems import fitted, soap_of, some
from peers.timing import force_call, interleaved, two_products


def measure(options) -> dict:
    """us/atom for NbMo (else AlAs, shipped), M inducing points for each species."""
    frames, atoms, species, r_cut = _system(options)
    potential = fitted(frames, soap_of(options, species, r_cut), options.n_inducing)
    counts = [int((atoms.numbers == z).sum()) for z in sorted(set(atoms.numbers.tolist()))]
    n_features = potential.terms[0].descriptor.n_features
    seconds = interleaved(
        {
            "gapy": force_call(potential, atoms),
            "floor": two_products(counts, n_features, options.n_inducing, np.float64),
        },
        options.repeat,
    )
    row = {name: 1e6 * t / len(atoms) for name, t in seconds.items()}
    about = f"{'-'.join(species)}, {len(atoms)} atoms, {n_features} features"
    return {"j": row | {"notes": [about]}}


def _system(options):
    rng = np.random.default_rng(3)
    repeat = options.repeats_of_atoms
    path = options.file("snap/NbMo_train.xyz")
    if path is None:
        from gapy.data import frames

        atoms = bulk("AlAs", "zincblende", a=5.64, cubic=True).repeat(repeat)
        species, r_cut, labelled = ("Al", "As"), 5.4, frames("alas", "train")
    else:
        atoms = bulk("Nb", "bcc", a=3.23, cubic=True).repeat((2 * repeat, 2 * repeat, repeat))
        atoms.symbols[rng.permutation(len(atoms))[: len(atoms) // 2]] = "Mo"
        species, r_cut, labelled = ("Nb", "Mo"), 5.0, read(path, ":")
    atoms.rattle(0.05, rng=rng)
    return some(labelled, 12 * options.n_inducing), atoms, species, r_cut
