"""Given means given: a flag or key with the value of its default is no default."""

import tomllib

import pytest

import gapy
from gapy.cli.settings import FitSettings, settings_from
from gapy.cli.tune_settings import fit_toml
from gapy.fit.settings import LEARNT
from gapy.gp.noise import Noise
from gapy.tuning.candidates import Candidate

SMALL = ("--r-cut", 4, "--n-max", 2, "--l-max", 1, "--n-inducing", 8)
DEFAULTS = {"delta": 1.0, "sigma_energy": 0.001, "sigma_forces": 0.05, "sigma_stress": 0.001}


@pytest.mark.parametrize("name", LEARNT)
def test_a_flag_with_the_value_of_its_default(cli, train_xyz, tmp_path, name):
    model = tmp_path / "m.gapy"
    flag = f"--{name.replace('_', '-')}"
    result = cli("fit", train_xyz, "-o", model, *SMALL, flag, DEFAULTS[name])
    assert result.code == 0 and "learnt" not in result.out, result.err
    potential = gapy.load(model)
    assert potential.noise == Noise() and potential.terms[0].delta == (1.0, 1.0)


@pytest.mark.parametrize("name", LEARNT)
def test_a_key_with_the_value_of_its_default(cli, train_xyz, tmp_path, name):
    config = tmp_path / "fit.toml"
    config.write_text(f"{name.replace('_', '-')} = {DEFAULTS[name]}\n")
    model = tmp_path / "m.gapy"
    assert cli("fit", train_xyz, "-o", model, "--config", config, *SMALL).code == 0
    assert gapy.load(model).noise == Noise()


@pytest.mark.parametrize("name", LEARNT)
def test_tune_fits_and_writes_what_was_given(name):
    settings = settings_from({name: DEFAULTS[name]}, "FIT.toml")
    assert settings.regressor_options()["optimize"] is False
    candidate = Candidate(4.0, 0.5, 2, 1, 4, 8, "off")
    again = settings_from(tomllib.loads(fit_toml(settings, candidate, 0)), "FIT.toml")
    assert getattr(again, name) == DEFAULTS[name] and not again.learns_noise()
    tables = {"zbl": {}, "calculator": {"path": "a.B", "arguments": {}}}
    told = tomllib.loads(fit_toml(FitSettings(baseline=tables), candidate, 0))
    assert told["baseline"] == tables
    nothing = fit_toml(FitSettings(), candidate, 0)
    assert not any(n.replace("_", "-") in nothing for n in ("delta", "sigma-energy", "noise"))


def test_one_that_is_given_fixes_the_others_at_their_defaults():
    options = FitSettings(sigma_energy=0.002).regressor_options()
    assert options["sigma_energy"] == 0.002 and not options["optimize"]
    assert FitSettings(sigma_energy=0.002, optimize=True).regressor_options()["optimize"]
    assert FitSettings().regressor_options()["optimize"]
    # Nobody states a default twice.
    regressor = gapy.SparseGPRegressor(None, **options)
    assert {name: getattr(regressor, name) for name in LEARNT} == DEFAULTS | {"sigma_energy": 0.002}
