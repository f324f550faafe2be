"""The protocol of descriptors: ours have it; what cannot be loaded again is refused at once."""

import pytest
from dscribe.descriptors import ACSF, SOAP
from helpers import labelled_frames

import gapy
from gapy.descriptors import CompiledSOAP, Descriptor, as_descriptor, smooth_soap
from gapy.errors import GapyError

SOAP_OF_TWO = smooth_soap(["Al", "Cu"], r_cut=4.0, n_max=2, l_max=1)


class Foreign(CompiledSOAP):
    """A descriptor that is not ours: all members, but no file could give it back."""

    kind = "FOREIGN"


class Half:
    """Something with one verb of many."""

    kind = "SOAP"

    def derivative_block(self, env, begin, end):
        raise AssertionError


@pytest.mark.parametrize(
    "stated",
    [SOAP_OF_TWO, ACSF(species=["Al", "Cu"], r_cut=4.0, g2_params=[[1.0, 1.0]], periodic=True)],
)
def test_ours_have_all_of_the_protocol(stated):
    assert isinstance(as_descriptor(stated), Descriptor)
    assert not isinstance(stated, Descriptor)


def test_a_descriptor_that_no_file_could_give_back_is_refused_before_the_fit():
    foreign = Foreign(SOAP_OF_TWO)
    assert isinstance(foreign, Descriptor)
    gp = gapy.SparseGPRegressor(foreign, n_inducing=4)
    with pytest.raises(GapyError, match=r"got Foreign of .*could be saved but not loaded"):
        gp.fit(labelled_frames(3, seed=1))


def test_missing_members_are_named():
    with pytest.raises(GapyError, match=r"got Half without species, n_features.*collect; add them"):
        as_descriptor(Half())


def test_a_class_is_no_descriptor():
    with pytest.raises(GapyError, match="got the class SOAP; call it"):
        as_descriptor(SOAP)
