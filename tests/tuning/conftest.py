"""Short times: what a call costs is not what these tests are about."""

import pytest

from gapy.tuning import cost


@pytest.fixture(scope="session", autouse=True)
def _short_turns():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "N_ATOMS", 30)
        patch.setattr(cost, "ROUNDS", 2)
        patch.setattr(cost, "TURN", 1e-4)
        yield
