"""The automatic ZBL: below all distances of the data, on by default, and what it does there."""

import json
import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.data import covalent_radii
from ase.io import write
from baseline_helpers import domain

import gapy
from gapy.baselines import (
    ZBL,
    baseline_of,
    closer,
    closest_pairs,
    forces_on_centres,
    made_for,
    zbl_below,
)
from gapy.baselines.below import INNER, MARGIN
from gapy.baselines.zbl import BOND_SHARE
from gapy.descriptors import smooth_soap
from gapy.geometry.pairs import Pairs


@pytest.fixture(scope="module")
def frames():
    return gapy.data.frames("alas", "train")[::6]


@pytest.fixture(scope="module")
def potential(frames):
    soap = smooth_soap(["Al", "As"], r_cut=4.5, n_max=5, l_max=4)
    return gapy.SparseGPRegressor(soap, 60, 2, optimize=True).fit(frames).potential_


def all_distances(frames, a, b):
    out = []
    for atoms in frames:
        big = atoms.repeat([3 if p else 1 for p in atoms.pbc])
        r = np.linalg.norm(big.positions[:, None] - big.positions, axis=2)
        r += np.where(np.eye(len(big)), np.inf, 0.0)
        out.append(r[np.ix_(big.numbers == a, big.numbers == b)].min(initial=np.inf))
    return min(out)


def test_closest_pairs_are_those_of_all_distances(frames):
    found = closest_pairs(frames)
    assert list(found) == [(13, 13), (13, 33), (33, 33)]
    for (a, b), r in found.items():
        reach = 2 * BOND_SHARE / MARGIN * covalent_radii[[13, 33]].max()
        expected = all_distances(frames, a, b)
        assert r == pytest.approx(expected) if expected < reach else r > expected - 1e-9
    half = len(frames) // 2
    assert closer(closest_pairs(frames[:half]), closest_pairs(frames[half:])) == found
    # Pairs never seen in one structure are named too, and have no distance.
    apart = closest_pairs([bulk("Cu"), Atoms("O2", [[0, 0, 0], [1.0, 0, 0]])])
    assert apart[8, 29] == np.inf and apart[8, 8] == pytest.approx(1.0)
    assert closer(closest_pairs([bulk("Cu")]), closest_pairs([Atoms("O")])) == closest_pairs(
        [bulk("Cu"), Atoms("O")]
    )


def test_no_label_feels_it(frames):
    zbl = zbl_below(closest_pairs(frames), [13, 33])
    for atoms in frames:
        out = baseline_of(atoms, [zbl])
        assert not out.energies.any() and not out.forces.any() and not out.virial.any()
    for (a, b), (inner, outer) in zbl.switches.items():
        assert outer < all_distances(frames, a, b) and inner == pytest.approx(INNER * outer)
        assert outer <= BOND_SHARE * (covalent_radii[a] + covalent_radii[b])


def test_pairs_never_seen_have_the_default_switch():
    zbl = zbl_below({(8, 29): np.inf, (8, 8): 1.0}, [29, 8, 1])
    assert zbl.switch(8, 29) == pytest.approx(ZBL().switch(8, 29))
    assert zbl.switch(1, 29) == pytest.approx(ZBL().switch(1, 29))
    assert zbl.cutoff < 0.8 * 2 * covalent_radii[29] + 1e-9
    assert zbl.switch(8, 8) == pytest.approx((0.475, 0.95))


def test_only_the_word_is_replaced(frames):
    own = ZBL(0.5, 1.0)
    given = [13, 33], lambda: closest_pairs(frames)
    assert made_for([own], *given) == (own,)
    assert made_for(["zbl", own], *given) == (zbl_below(given[1](), [13, 33]), own)
    assert made_for((), *given) == ()


@pytest.mark.parametrize("pair", ["AlAl", "AlAs", "AsAs"])
def test_dimers_repel_up_to_its_outer_distance(potential, pair):
    a, b = Atoms(pair).numbers
    (zbl,) = potential.baselines
    outer, largest = zbl.switch(a, b)[1], potential.calibration.largest
    energy = []
    for r in np.arange(0.01, outer, 0.01):
        out = potential.evaluate(Atoms(pair, [[0, 0, 0], [r, 0, 0]]), force_std=True)
        energy.append(out.energy)
        assert out.forces[1, 0] > 0.0, (pair, r)
        assert r > 0.9 * outer or out.forces_std.min() > largest
    assert (np.diff(energy) < 0.0).all()


def test_on_by_default_and_turned_off(frames, potential):
    gp = gapy.SparseGPRegressor(smooth_soap(["Al", "As"], r_cut=4.0, n_max=2, l_max=1), 8)
    kinds = [b.kind for b in gp.fit(frames).potential_.baselines]
    assert kinds == ["zbl"]
    # The state of a fit in parts has it as well, and goes on.
    assert gp.begin(frames).baselines == gp.training_.baselines
    gp.partial_fit(frames[:2])
    assert gp.set_params(baselines=()).fit(frames).potential_.baselines == ()


@pytest.mark.parametrize(
    "flags, toml, kinds",
    [
        ((), "", ["zbl"]),
        (("--no-zbl",), "", []),
        ((), "zbl = false\n", []),
        (("--zbl",), "zbl = false\n", ["zbl"]),
        ((), "[baseline.zbl]\ninner = 0.5\nouter = 1.0\n", ["zbl"]),
        ((), "[baseline.free_atoms.e0]\nAl = -1.0\nAs = -2.0\n", ["zbl", "free_atoms"]),
    ],
)
def test_command_line(cli, frames, tmp_path, flags, toml, kinds):
    write(tmp_path / "t.xyz", frames[:12])
    (tmp_path / "f.toml").write_text(f"r_cut = 4.0\nn_max = 2\nl_max = 1\nn_inducing = 8\n{toml}")
    model = tmp_path / "m.gapy"
    out = cli("fit", tmp_path / "t.xyz", "-o", model, "--config", tmp_path / "f.toml", *flags)
    assert out.code == 0, out.err
    summary = json.loads(cli("info", model, "--json").out)
    assert [b["kind"] for b in summary["baselines"]] == kinds
    text = cli("info", model).out
    assert ("baseline zbl" in out.out) == ("zbl" in kinds)
    if kinds == ["zbl"] and not toml:
        assert "switches: Al-Al" in text and "switches: Al-Al" in out.out


@pytest.mark.parametrize(
    "toml, words",
    [
        ("zbl = false\n[baseline.zbl]\ninner = 0.5\nouter = 1.0\n", "zbl: false beside a table"),
        ("[baseline.zlb]\n", "baseline: expected one of .*zbl.*'zlb'"),
        ("[baseline.zbl]\nouter = 1.0\n", "inner and outer or neither"),
        ("baseline = 3\n", r"baseline: expected tables such as \[baseline.zbl\]"),
    ],
)
def test_bad_tables_are_one_line(cli, frames, tmp_path, toml, words):
    write(tmp_path / "t.xyz", frames[:3])
    (tmp_path / "f.toml").write_text(f"r_cut = 4.0\n{toml}")
    out = cli("fit", tmp_path / "t.xyz", "-o", tmp_path / "m", "--config", tmp_path / "f.toml")
    line = out.error_line()
    assert re.search(words, line), line


def test_forces_on_centres_of_a_domain():
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.rattle(0.1, seed=1)
    zbl = ZBL(1.5, 3.2)
    whole = baseline_of(atoms, [zbl])
    owned = np.arange(7)
    system, _ = domain(atoms, 3.5, owned)
    found = forces_on_centres([zbl], system.numbers, Pairs(*system.pairs))
    np.testing.assert_allclose(found[:7], whole.forces[owned], atol=1e-12)
    assert np.abs(whole.forces[owned]).max() > 0.1 and not found[7:].any()
