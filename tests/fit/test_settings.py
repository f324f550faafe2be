"""Settings of a model: flags, TOML keys, arguments and records cannot drift from the dataclass."""

import inspect
import subprocess
import sys
from dataclasses import asdict, fields
from typing import get_type_hints

import pytest

import gapy
from gapy._support.ranges import RANGES
from gapy.active import GPModel
from gapy.baselines import AUTOMATIC
from gapy.cli.automatic import FIXED
from gapy.cli.fit import fit
from gapy.cli.settings import FitSettings, settings_from
from gapy.cli.tune import tune
from gapy.cli.tune_settings import LISTS
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError
from gapy.fit.settings import BASIS, LEARNT, ModelSettings, help_of
from gapy.fit.update import UpdateSettings
from gapy.tuning import Candidate

MODEL = {f.name: f for f in fields(ModelSettings)}
TABLES = {"noise", "baseline", "term"}
"""Of the file, without a flag."""
KEYS = {"energy_key", "forces_key", "stress_key", "virial_key"}
EVERYTHING = ModelSettings(
    r_cut=4.0, n_max=2, l_max=1, sigma=0.5, compression="mu1nu1", magnetic=("Al",), zeta=2,
    n_inducing=8,
    n_components=0.01, selection="cur", delta=0.7, sigma_energy=0.002, sigma_forces=0.06,
    sigma_stress=0.003, optimize=True, stress=False, force_tolerance=0.01,
    noise={"hot": {"forces": 0.2}}, e0={"Al": 1.0}, seed=3, zbl=False,
    baseline={"free_atoms": {"e0": {"Al": 1.0}}}, terms="soap+pair", term=({"kind": "soap"},),
)  # fmt: skip


def names_of(kind) -> set[str]:
    return {f.name for f in fields(kind) if f.init}


def parameters(function) -> dict:
    return dict(inspect.signature(function).parameters)


def test_flags_of_fit_are_its_settings():
    of_the_run = {
        "config", "workers", "scheduler", "estimate", "atoms", "pair", "from_gap_fit", "quiet",
        "verbose",
    }  # fmt: skip
    assert set(parameters(fit)) == names_of(FitSettings) - TABLES | of_the_run
    hints = get_type_hints(fit, include_extras=True)
    for name in MODEL.keys() - TABLES:
        (option,) = hints[name].__metadata__
        assert option.help == help_of(name), name


def test_keys_of_the_file_are_its_settings():
    for name, f in MODEL.items():
        value = getattr(EVERYTHING, name)
        settings = settings_from({name.replace("_", "-"): value}, "FIT.toml")
        assert getattr(settings, name) == value != f.default


def test_what_tune_varies_are_settings_of_a_model():
    assert list(LISTS) == [f.name for f in fields(Candidate)]
    assert {name: kind.__name__ for name, kind in LISTS.items()} == Candidate.__annotations__
    assert LISTS.keys() <= MODEL.keys() and LISTS.keys() <= parameters(tune).keys()


def test_keys_of_a_loop_are_settings_of_a_model_and_of_its_updates():
    of_updates = names_of(UpdateSettings) & names_of(GPModel)
    assert names_of(GPModel) - MODEL.keys() == of_updates | {"species", "threads", "refit"}
    # What a loop does not offer.
    assert MODEL.keys() - names_of(GPModel) == {
        "selection",
        "n_components",
        "noise",
        "force_tolerance",
    }


def test_every_setting_reaches_the_descriptor_or_the_regressor():
    arguments = EVERYTHING.regressor_arguments()
    others = {"descriptor", "threads", "progress", *KEYS}
    assert set(arguments) == parameters(gapy.SparseGPRegressor).keys() - others
    taken = {"stress": "fit_stress", "noise": "noise_overrides"}
    assert [b.kind for b in arguments["baselines"]] == ["free_atoms"]
    for name in MODEL.keys() - {*BASIS, "magnetic", "zbl", "baseline", "terms", "term"}:
        assert arguments[taken.get(name, name)] == getattr(EVERYTHING, name)
    soap = EVERYTHING.soap(["Al", "Cu"])
    want = smooth_soap(["Al", "Cu"], 4.0, 2, 1, 0.5, compression={"mode": "mu1nu1"})
    assert soap.get_number_of_features() == want.get_number_of_features()
    assert (soap._r_cut, soap._n_max, soap._l_max, soap.compression["mode"]) == (4, 2, 1, "mu1nu1")
    assert EVERYTHING.atomic_descriptor(["Al", "Cu"]).magnetic == (13,)


def test_defaults_are_stated_alike():
    regressor = parameters(gapy.SparseGPRegressor)
    for name in ("selection", "n_components", "e0", "seed"):
        assert MODEL[name].default == regressor[name].default
    assert MODEL["stress"].default == regressor["fit_stress"].default
    for name in LEARNT:
        assert help_of(name).endswith(f" [{regressor[name].default}].")
    assert ModelSettings().baselines() == (AUTOMATIC,) == regressor["baselines"].default
    soap = parameters(smooth_soap)
    for name in ("r_cut", "n_max", "l_max", "sigma"):
        assert FIXED[name] == soap[name].default
    assert FIXED["n_inducing"] == regressor["n_inducing"].default
    for name in FIXED.keys() - {"r_cut", "n_inducing"}:
        assert str(FIXED[name]) in MODEL[name].metadata["unsaid"]
    given = ModelSettings().regressor_arguments()
    assert not given.keys() & {"n_inducing", *LEARNT}  # left to the regressor


@pytest.mark.parametrize("name", RANGES)
def test_every_range_is_checked(name):
    words = f"{name}: expected .*got"
    for value in (RANGES[name][1] * 10, None, "four", True):
        made = type("Made", (), {name: value})
        with pytest.raises(GapyError, match=words):
            ModelSettings.of(made)
    assert getattr(ModelSettings(), name) == MODEL[name].default
    with pytest.raises(GapyError, match=words.replace("_", "-")):
        FitSettings(**{name: RANGES[name][1] * 10})


def test_plain_values_and_back():
    assert ModelSettings(**asdict(EVERYTHING)) == EVERYTHING


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"r_cut": -1}, "r_cut must be a finite number > 0 in A, got -1"),
        ({"delta": None}, "delta must be a finite number > 0 in eV, got None"),
        ({"sigma_stress": 0}, "sigma_stress must be a finite number > 0 in eV/A.3, got 0"),
        ({"l_max": -1}, "l_max must be a whole number >= 0, got -1"),
        ({"optimize": None}, "optimize: expected true or false, got None"),
        ({"n_inducing": {"Al": 0}}, "n_inducing: expected a whole number of at least 1"),
        ({"n_max": 1000}, "n_max: expected 1 to 100, got 1000; correct the value"),
        ({"r_cut": 1e5}, "r_cut: expected 0.1 to 1000 A, got 100000.0; correct the value"),
    ],
)
def test_a_model_of_a_loop_keeps_the_words_of_loops(given, words):
    with pytest.raises(GapyError, match=words):
        GPModel(["Al"], **given)


def test_one_way_to_a_soap():
    small = {"r_cut": 4.0, "sigma": 0.5, "n_max": 2, "l_max": 1, "zeta": 4, "n_inducing": 8}
    for mode, fails in (("mu1nu1", False), ("nonsense", True)):
        given = {**small, "compression": mode}
        makers = (
            ModelSettings(**given).soap,
            Candidate(**given).soap,
            lambda species, given=given: GPModel(species, **given)._regressor().descriptor,
        )
        if fails:
            for make in makers:
                with pytest.raises(GapyError, match="SOAP settings refused by dscribe"):
                    make(["Al", "Cu"])
        else:
            assert len({make(("Al", "Cu")).get_number_of_features() for make in makers}) == 1


def test_records_of_searches_and_loops_from_before_are_still_the_same():
    # As written into results.json and state.json; other words would refuse those directories.
    assert repr(sorted(FitSettings().regressor_options().items())) == (
        "[('e0', 'auto'), ('fit_stress', True), ('force_tolerance', None), "
        "('noise_overrides', {}), ('optimize', True), ('selection', 'cholesky')]"
    )
    assert GPModel(("Al", "Cu"), r_cut=4, n_max=2, l_max=1, threads=2).describe() == {
        "species": ["Al", "Cu"], "r_cut": 4.0, "n_max": 2, "l_max": 1, "sigma": 0.5,
        "compression": "off", "zeta": 4, "n_inducing": 300, "delta": 1.0, "sigma_energy": 0.001,
        "sigma_forces": 0.05, "sigma_stress": 0.001, "e0": "auto", "stress": True,
        "optimize": True, "refit": 1.5, "threshold": 1e-5, "max_points": 50, "columns": "sampled",
        "sample_rows": 3.0, "prune": 0.0, "calibrate_every": 20, "seed": 0,
    }  # fmt: skip


def test_settings_are_known_without_numpy():
    code = "import sys, gapy.fit.settings; print({'numpy', 'ase', 'dscribe'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
