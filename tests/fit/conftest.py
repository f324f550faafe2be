"""A regressor to go on with."""

import pytest
from update_helpers import OLD, regressor


@pytest.fixture(scope="module")
def fitted():
    return regressor().fit(OLD)
