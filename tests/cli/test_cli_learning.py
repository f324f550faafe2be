"""When `gapy fit` learns the noise."""

import pytest

import gapy
from gapy._support.threads import blas_threads
from gapy.gp.noise import Noise


@pytest.fixture(autouse=True)
def one_thread():
    """The matrices are small: threads would only wait for one another."""
    with blas_threads(1):
        yield


SMALL_FIT = ("--r-cut", 4, "--n-max", 2, "--l-max", 1, "--n-inducing", 8)


@pytest.mark.parametrize(
    ("flags", "learns"),
    [
        ((), True),
        (("--no-optimize",), False),
        (("--sigma-forces", 0.2), False),
        (("--delta", 2), False),
        (("--sigma-forces", 0.2, "--optimize"), True),
    ],
)
def test_fit_learns_unless_told_or_given(cli, train_xyz, tmp_path, flags, learns):
    model = tmp_path / "m.gapy"
    result = cli("fit", train_xyz, "-o", model, *SMALL_FIT, *flags)
    assert result.code == 0, result.err
    assert ("learnt noise" in result.out) == learns == ("learnt delta, eV" in result.out)
    potential = gapy.load(model)
    given = Noise(forces=0.2) if "--sigma-forces" in flags else Noise()
    delta = 2.0 if "--delta" in flags else 1.0
    assert (potential.noise != given) == learns
    assert (potential.terms[0].delta != (delta, delta)) == learns


def test_optimize_in_a_settings_file(cli, train_xyz, tmp_path):
    config = tmp_path / "fit.toml"
    for text, learns in (("optimize = false", False), ("delta = 2.0\noptimize = true", True)):
        config.write_text(text + "\n")
        model = tmp_path / "m.gapy"
        assert cli("fit", train_xyz, "-o", model, "--config", config, *SMALL_FIT).code == 0
        assert (gapy.load(model).noise != Noise()) == learns
    config.write_text("optimize = 1\n")
    result = cli("fit", train_xyz, "-o", model, "--config", config, *SMALL_FIT)
    assert "optimize: expected true or false" in result.error_line()
