"""The SOAP of a model from its settings: the one place that makes it."""

from __future__ import annotations

from sklearn.base import BaseEstimator

from gapy.descriptors.soap import smooth_soap
from gapy.errors import GapyError


def soap_of(species, *, compression="off", **basis):
    """A `smooth_soap` with its r_cut, n_max, l_max, sigma, and a compression by its name.

    Raises
    ------
    GapyError : settings that dscribe refuses
    """
    try:
        return smooth_soap(list(species), compression={"mode": compression}, **basis)
    except GapyError:
        raise
    except ValueError as error:
        raise GapyError(f"SOAP settings refused by dscribe: {error}") from error


class SOAPSettings(BaseEstimator):
    """Settings of a `smooth_soap` that scikit-learn can read, change and search.

    As the descriptor of a regressor they are its nested parameters:
    GridSearchCV(SparseGPRegressor(SOAPSettings(["Si"])), {"descriptor__r_cut": [4.5, 5.5]}).
    A SOAP of dscribe cannot be changed once it is made.

    Arguments
    ---------
    species : symbols or atomic numbers
    r_cut, sigma : A
    n_max, l_max : radial functions, and the largest degree of the harmonics
    compression : "off", "mu2", "mu1nu1" or "crossover", as in dscribe
    """

    def __init__(self, species, r_cut=5.0, n_max=8, l_max=6, sigma=0.5, compression="off"):
        self.species = species
        self.r_cut = r_cut
        self.n_max = n_max
        self.l_max = l_max
        self.sigma = sigma
        self.compression = compression

    def made(self):
        """The SOAP with these settings; raises GapyError where dscribe refuses them."""
        return soap_of(**self.get_params(deep=False))
