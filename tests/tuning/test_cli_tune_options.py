"""`gapy tune` takes seed and threads from its file, and flags win."""

import json
import tomllib

import pytest

SMALL = ("--r-cut", "4", "--sigma", "0.5", "--n-max", "2", "--l-max", "1", "--zeta", "2")
SMALL += ("--n-inducing", "5", "--compression", "off")


@pytest.mark.parametrize(("flags", "seed"), [((), 7), (("--seed", 8, "--threads", 1), 8)])
def test_seed_and_threads_of_the_file(cli, train_xyz, tmp_path, monkeypatch, flags, seed):
    from gapy.tuning import attempts

    used = []
    score = attempts.score
    monkeypatch.setattr(attempts, "score", lambda *a, **k: used.append(k) or score(*a, **k))
    config = tmp_path / "fit.toml"
    config.write_text(f'train = "{train_xyz}"\nseed = 7\nthreads = 2\n')
    result = cli("tune", "--config", config, "-o", tmp_path / "t", *SMALL, *flags)
    assert result.code == 0, result.err
    assert f"--seed {seed}" in result.out
    assert {(k["seed"], k["threads"]) for k in used} == {(seed, 1 if flags else 2)}
    assert json.loads((tmp_path / "t/results.json").read_text())["settings"]["seed"] == seed
    assert tomllib.loads((tmp_path / "t/FIT.toml").read_text())["seed"] == seed
