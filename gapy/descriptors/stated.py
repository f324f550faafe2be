"""The SOAP of a model from its settings: the one place that makes it."""

from __future__ import annotations

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
