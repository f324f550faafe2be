"""Settings of a SOAP as nested parameters of the regressor."""

import numpy as np
import pytest
from helpers import labelled_frames
from sklearn.base import clone, is_regressor
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags

from gapy import SparseGPRegressor
from gapy.descriptors import SOAPSettings, as_descriptor, smooth_soap
from gapy.errors import GapyError

BASIS = {"n_max": 3, "l_max": 2}


def test_stands_for_the_soap_of_its_settings():
    of_settings = as_descriptor(SOAPSettings(["Cu"], r_cut=3.5, compression="mu1nu1", **BASIS))
    soap = smooth_soap(["Cu"], r_cut=3.5, compression={"mode": "mu1nu1"}, **BASIS)
    assert of_settings.settings() == as_descriptor(soap).settings()
    with pytest.raises(GapyError, match="SOAP settings refused by dscribe"):
        as_descriptor(SOAPSettings(["Cu"], compression="best"))


def test_a_clone_does_not_share_them():
    gp = SparseGPRegressor(SOAPSettings(["Cu"], **BASIS))
    other = clone(gp).set_params(descriptor__r_cut=4.0)
    assert (gp.descriptor.r_cut, other.descriptor.r_cut) == (5.0, 4.0)


def test_tags_say_that_structures_are_taken():
    gp = SparseGPRegressor(SOAPSettings(["Cu"], **BASIS))
    tags = get_tags(gp)
    assert is_regressor(gp) and tags.no_validation
    assert not tags.input_tags.two_d_array and not tags.target_tags.required


def test_grid_search_over_the_cutoff_refits_the_best_potential():
    frames = labelled_frames(30, seed=2)[::3]  # copper
    gp = SparseGPRegressor(SOAPSettings(["Cu"], **BASIS), 20, zeta=2, e0="zero", baselines=())
    grid = {"descriptor__r_cut": [2.2, 4.5], "descriptor__n_max": [2, 4]}
    search = GridSearchCV(gp, grid, cv=2, error_score="raise").fit(frames)
    scores = search.cv_results_["mean_test_score"]
    assert search.best_params_["descriptor__r_cut"] == 4.5  # the first shell ends beyond 2.2 A
    assert scores.argmax() == search.best_index_ and np.ptp(scores) > 0.0
    assert search.best_estimator_.potential_.cutoff == 4.5
