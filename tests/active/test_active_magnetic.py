"""A loop whose reference depends on magnetic orders: moments go to the labels and come back."""

import numpy as np
import pytest
from active_calculators import Here
from magnetic_iron import Moments, iron, label

import gapy
from gapy.active import MD, GPModel, Initial, Oracle, Policy, Store, learn
from gapy.errors import GapyError
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


def test_another_order_or_charge_is_another_loop(tmp_path):
    start = with_signs(iron(1, 1)[0], [1, -1, 1, -1])

    def go(atoms, **options):
        return learn(
            tmp_path / "loop",
            oracle=Oracle(Moments(), executor=Here()),
            model=GPModel(["Fe"], magnetic=["Fe"], r_cut=3.6, n_max=2, l_max=1, n_inducing=10),
            policy=Policy(max_force_std=5.0),
            explorers=MD(atoms, ps=0.002, temperature=300),
            initial=Initial(rattles=1),
            **options,
        )

    go(start)
    charged = start.copy()
    charged.info["charge"] = 1.0
    for other in (with_signs(start.copy(), [1, 1, 1, 1]), charged):
        with pytest.raises(GapyError, match="explorers"):
            go(other, resume=True)
    go(start, resume=True)
