"""Residuals of the label groups from the sufficient statistic, against the labels themselves."""

import numpy as np
from dense_gp import frames, regressor
from helpers import labels_in

from gapy.gp.noise import Noise, outliers
from gapy.gp.residuals import residual_rms
from gapy.structures import from_atoms


def test_they_are_those_of_the_labels():
    gp = regressor().fit(frames(8, seed=11))
    posterior = gp.potential_.posterior
    squares: dict = {}
    for s in from_atoms(frames(8, seed=11)):
        for labels in labels_in(gp, s)[1]:
            left = (labels.y - labels.rows @ posterior.alpha) / labels.scale
            squares.setdefault(labels.group, []).append(left)
    found = residual_rms(posterior, gp.statistic_)
    assert found.keys() == squares.keys()
    for group, parts in squares.items():
        expected = np.sqrt(np.mean(np.concatenate(parts) ** 2))
        np.testing.assert_allclose(found[group], expected, rtol=1e-6)


def test_a_group_that_is_met_is_no_outlier():
    noise = Noise(overrides={name: {"energy": e} for name, e in zip("abc", (0.001, 0.001, 0.05))})
    assert [group["config_type"] for group in outliers(noise, {})] == ["c"]
    for left, named in ((0.04, ["c"]), (0.002, [])):
        found = outliers(noise, {"residuals": {"c": {"energy": left}}})
        assert [group["config_type"] for group in found] == named
