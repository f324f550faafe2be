"""A loop whose reference depends on magnetic orders: moments go to the labels and come back."""

import numpy as np
from active_calculators import Here
from magnetic_iron import Moments, iron, label

import gapy
from gapy.active import MD, GPModel, Initial, Oracle, Policy, Store, learn
from gapy.structures.spins import moments_of, signs_of, with_signs


def test_each_walker_keeps_its_order(tmp_path):
    starts = [with_signs(iron(1, 1)[0], signs) for signs in ([1, 1, 1, 1], [1, -1, 1, -1])]
    learn(
        tmp_path / "loop",
        oracle=Oracle(Moments(), executor=Here()),
        model=GPModel(["Fe"], magnetic=["Fe"], r_cut=3.6, n_max=3, l_max=2, n_inducing=40),
        policy=Policy(max_force_std=0.05),
        explorers=[MD(atoms, ps=0.03, temperature=400) for atoms in starts],
        initial=Initial(rattles=2),
    )
    store = Store(tmp_path / "loop" / "labels.db", "loop")
    found = [store.structure(row.label_key) for row in store.rows()]
    assert {tuple(signs_of(atoms)) for atoms in found} == {tuple(signs_of(a)) for a in starts}
    for atoms in found:
        assert np.array_equal(moments_of(atoms), signs_of(atoms))  # of size 1, as nobody said more
        assert label(atoms.copy()).info["REF_energy"] == atoms.info["REF_energy"]
    gap = [label(atoms.copy()).info["REF_energy"] for atoms in starts]
    potential = gapy.load(tmp_path / "loop" / "model.gapy")
    ours = [potential.evaluate(atoms).energy for atoms in starts]
    assert abs((ours[1] - ours[0]) / (gap[1] - gap[0]) - 1.0) < 0.1
