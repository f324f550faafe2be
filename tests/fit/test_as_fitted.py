"""Settings that a fit takes once may not change under what goes on from it."""

import pytest
from update_helpers import NEW, OLD, copied, regressor, soap

from gapy.baselines import ZBL
from gapy.errors import GapyError
from gapy.fit.checkpoint import load_state, save_state
from gapy.fit.update import update


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"zeta": 3}, "zeta: expected as in the fit, .* got zeta=3 instead of 4; set it back"),
        ({"baselines": [ZBL(species=["Si", "C"])]}, "baselines: .* got another baselines"),
        ({"descriptor": soap(("Si", "Ge"))}, "descriptor: .* got another descriptor"),
        ({"e0": "zero", "seed": 3}, "e0, seed: .* seed=3 instead of 0; .* fit, which starts anew"),
        ({"n_inducing": 9}, "n_inducing"),
        ({"delta": 2.0}, "delta"),
        ({"selection": "cur"}, "selection"),
        ({"sigma_forces": 0.2}, "sigma_forces=0.2 instead of 0.1"),
        ({"noise_overrides": {"a": {"forces": 0.2}}}, "noise_overrides"),
        ({"fit_stress": False}, "fit_stress=False instead of True"),
    ],
)
def test_a_setting_without_effect_is_refused(fitted, tmp_path, changed, told):
    gp = copied(fitted).set_params(**changed)
    before = gp.training_
    with pytest.raises(GapyError, match=told):
        gp.partial_fit(NEW)
    if "e0" not in changed:
        with pytest.raises(GapyError, match=told):
            update(gp, NEW)
        with pytest.raises(GapyError, match=told):
            save_state(gp, tmp_path / "s.gapy")
    assert gp.training_ is before and not list(tmp_path.iterdir())


def test_settings_with_an_effect_and_those_set_back_go_on(fitted, tmp_path):
    gp = copied(fitted).set_params(zeta=3, e0={"Si": -1.0})
    gp.set_params(zeta=4, e0={"Si": -1.0, "C": 0.5}, threads=2, force_tolerance=0.1)
    assert gp.partial_fit(NEW).n_structures_ == 16
    overrides = {"a": {"forces": 0.2}}
    gp = regressor(noise_overrides=overrides).fit(OLD)
    overrides["a"]["forces"] = 0.3  # in place
    with pytest.raises(GapyError, match="another noise_overrides"):
        gp.partial_fit(NEW)
    save_state(fitted, tmp_path / "s.gapy")
    back = load_state(tmp_path / "s.gapy")
    assert back.partial_fit(NEW).n_structures_ == 16
    with pytest.raises(GapyError, match="zeta=3 instead of 4"):
        back.set_params(zeta=3).partial_fit(NEW)
    assert back.fit(NEW).n_structures_ == 4  # anew
