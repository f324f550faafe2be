"""What `inspect` finds is what was put into the data."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.io import write
from helpers import labelled_frames, random_rotation

import gapy
from gapy.errors import GapyError, SpeciesError, StructureError
from gapy.gp.kernel import dot_product
from gapy.gp.rows import structure_rows
from gapy.inspection import geometry as geo
from gapy.inspection.environments import SAMPLE, kernel_map
from gapy.inspection.influence import influence, was_fitted_to
from gapy.inspection.picture import picture
from gapy.inspection.text import report_text
from gapy.structures import from_atoms

PNG = b"\x89PNG\r\n\x1a\n"


def labelled(atoms, config_type):
    atoms.calc = EMT()
    atoms.info["REF_energy"] = atoms.get_potential_energy()
    atoms.info["config_type"] = config_type
    atoms.arrays["REF_forces"] = atoms.get_forces()
    atoms.calc = None
    return atoms


def copper(n, seed=0, config_type="md", rattle=0.08, repeat=2):
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        atoms = bulk("Cu", cubic=True).repeat((repeat, repeat, 1))
        atoms.rattle(rattle, rng=rng)
        out.append(labelled(atoms, config_type))
    return out


def disguised(atoms, seed=5):
    """The same structure rotated, shifted, its atoms in another order."""
    rng = np.random.default_rng(seed)
    rotation, order = random_rotation(rng), rng.permutation(len(atoms))
    copy = atoms.copy()[order]
    copy.info.update(atoms.info)
    copy.set_cell(atoms.cell.array @ rotation.T)
    copy.positions = atoms.positions[order] @ rotation.T + rng.normal(size=3)
    copy.arrays["REF_forces"] = atoms.arrays["REF_forces"][order] @ rotation.T
    return copy


@pytest.fixture(scope="module")
def frames():
    """16 MD frames; a twin of frame 3; a wrong label; one slab; four compressed crystals."""
    out = copper(16)
    out.append(disguised(out[3]))
    out[7].arrays["REF_forces"] = -3.0 * out[7].arrays["REF_forces"]
    slab = fcc111("Cu", (2, 2, 3), vacuum=6.0, periodic=True)
    slab.rattle(0.05, seed=3)
    out.append(labelled(slab, "slab"))
    for k in range(4):
        atoms = bulk("Cu", a=3.2, cubic=True)
        atoms.rattle(0.03, seed=k)
        out.append(labelled(atoms, "pressed"))
    return out


@pytest.fixture(scope="module")
def report(frames):
    return gapy.inspect(frames)


# -- what it finds ------------------------------------------------------------------------------


def test_counts_and_ranges(report, frames):
    groups = {g.name: g for g in report.groups}
    assert {n: g.n_structures for n, g in groups.items()} == {"md": 17, "pressed": 4, "slab": 1}
    assert sum(g.share for g in report.groups) == pytest.approx(1.0)
    assert groups["pressed"].volume == pytest.approx((3.2**3 / 4, 3.2**3 / 4))
    assert groups["slab"].volume is None  # vacuum
    forces = np.concatenate([a.arrays["REF_forces"] for a in frames[:17]])
    assert groups["md"].force_rms == pytest.approx(np.sqrt((forces**2).mean()))
    assert groups["md"].force_max == pytest.approx(np.linalg.norm(forces, axis=1).max())
    assert report.elements[0].name == "Cu" and report.elements[0].n_atoms == report.n_atoms
    assert report.labels == {"energy": 22, "forces": 22, "stress": 0}
    assert len(report.histograms) > 2
    for h in report.histograms:
        expected = report.n_atoms if h.quantity in ("force (eV/A)", "neighbours") else 22
        expected -= h.quantity.startswith("volume")
        assert sum(map(sum, h.counts.values())) == expected


def test_twin_in_disguise(report):
    (twin,) = [t for t in report.twins if t.repeat == 16]
    assert twin.first == 3 and twin.distance < 1e-6 and not twin.contradicts
    assert any(s.action == "drop" and "frame 16" in s.what for s in report.suggestions)
    assert [t.repeat for t in report.twins] == [16]


def test_wrong_label_is_the_first_outlier(report):
    assert report.outliers[0].index == 7
    assert "force error" in report.outliers[0].reason
    assert any(s.action == "check" and "frame 7" in s.what for s in report.suggestions)


def test_thin_groups_and_gaps(report):
    assert "only 1 structures" in report.thin["slab"] and "pressed" in report.thin
    assert "md" not in report.thin
    assert report.uncovered[0].startswith(f"volumes below {3.2**3 / 4:.2f}")
    assert "volumes between 8.19 and" in report.uncovered[1]
    shortest = min(a.get_all_distances(mic=True)[np.triu_indices(len(a), 1)].min()
                   for a in copper(16))  # fmt: skip
    assert report.shortest["Cu-Cu"] <= shortest
    assert any(f"closer than {report.shortest['Cu-Cu']:.2f} A" in u for u in report.uncovered)


def test_groups_far_from_all_others_have_large_distances(report):
    groups = {g.name: g for g in report.groups}
    assert groups["pressed"].distance_outside > 2 * groups["pressed"].distance_within
    assert groups["slab"].distance_within == pytest.approx(groups["slab"].distance_outside)


def test_contradicting_labels():
    frames = copper(6)
    twin = disguised(frames[2])
    twin.info["REF_energy"] += 0.5
    report = gapy.inspect([*frames, twin])
    assert report.twins[0].contradicts
    assert report.twins[0].energy_gap == pytest.approx(0.5 / len(twin))
    (advice,) = [s for s in report.suggestions if "frame 6" in s.what and "equal" in s.reason]
    assert advice.action == "check" and "meV/atom apart" in advice.reason


def test_a_supercell_is_a_twin_and_a_strained_crystal_is_none():
    crystal = labelled(bulk("Cu", cubic=True), "a")
    sheared = bulk("Cu", cubic=True)
    sheared.set_cell(sheared.cell.array @ (np.eye(3) + [[0, 0.03, 0]] * 3), scale_atoms=True)
    report = gapy.inspect(
        [crystal, labelled(bulk("Cu", cubic=True).repeat(2), "a"), labelled(sheared, "a")]
    )
    assert [(t.first, t.repeat) for t in report.twins] == [(0, 1)]


# -- the numbers behind it -----------------------------------------------------------------------


def test_left_out_errors_equal_those_of_a_refit_in_the_same_basis(frames):
    structures = from_atoms(frames)
    gp = gapy.SparseGPRegressor(
        gapy.descriptors.smooth_soap(["Cu"], r_cut=4.0, n_max=3, l_max=2), n_inducing=15, e0="zero"
    ).fit(frames)
    potential = gp.potential_
    out = influence(potential, structures, left_out=True)
    for left in (4, 17):
        k_rows, y, s = [], [], []
        for k, f in enumerate(structures):
            rows = structure_rows(potential.terms, f.atoms)
            n = len(f.atoms)
            if k == left:
                own = rows
                continue
            k_rows += [rows.energy[None] / (0.001 * np.sqrt(n)), rows.forces / 0.05]
            y += [[f.energy / (0.001 * np.sqrt(n))], f.forces.ravel() / 0.05]
        a = potential.posterior.whiten(np.concatenate(k_rows)).T
        stacked = np.vstack([a, np.eye(a.shape[1])])
        target = np.concatenate([*y, np.zeros(a.shape[1])])
        w = np.linalg.lstsq(stacked, target, rcond=None)[0]
        s = structures[left]
        energy = s.energy - potential.posterior.whiten(own.energy[None])[:, 0] @ w
        forces = s.forces.ravel() - potential.posterior.whiten(own.forces).T @ w
        assert out.energy_error[left] == pytest.approx(energy / len(s.atoms), rel=1e-5)
        assert out.force_error[left] == pytest.approx(np.sqrt((forces**2).mean()), rel=1e-5)
    # The leverages of all labels add up to the number of parameters that the labels determine.
    counts = np.array([1 + 3 * len(f.atoms) for f in structures])
    precision = potential.posterior.r_factor.T @ potential.posterior.r_factor
    determined = len(precision) - np.trace(np.linalg.inv(precision))
    assert (out.leverage * counts).sum() == pytest.approx(determined, rel=1e-6)
    assert was_fitted_to(potential, structures)
    assert not was_fitted_to(potential, structures[:-1])


def test_errors_of_a_model_that_was_fitted_to_other_data(potential, test_frames):
    report = gapy.inspect(test_frames, potential=potential)
    assert "plain errors" in report.fit and np.isnan(report.leverage).all()
    atoms = test_frames[4]
    error = potential.evaluate(atoms).forces - atoms.arrays["REF_forces"]
    assert report.force_error[4] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)


def test_errors_of_the_model_of_these_data(potential, train_frames):
    report = gapy.inspect(train_frames, potential=potential)
    assert "left out in turn" in report.fit
    assert ((report.leverage > 0) & (report.leverage < 1)).all()
    plain = [
        ((potential.evaluate(a).forces - a.arrays["REF_forces"]) ** 2).mean() for a in train_frames
    ]
    assert (report.force_error**2).mean() > 1.1 * np.mean(plain)
    assert {e.name for e in report.elements} == {"Al", "Cu"}
    assert set(report.shortest) == {"Al-Al", "Al-Cu", "Cu-Cu"}


@pytest.mark.parametrize(
    ("atoms", "low", "high", "neighbours"),
    [
        (bulk("Si", cubic=True).repeat(2), 2.6, 3.6, 4),
        (bulk("Cu", cubic=True).repeat(2), 2.8, 4.2, None),
        (bulk("Fe", cubic=True).repeat(3), 3.1, 3.9, 14),
    ],
)
def test_neighbour_cutoff_separates_shells(atoms, low, high, neighbours):
    thermal = []
    for k in range(4):
        copy = atoms.copy()
        copy.rattle(0.05, seed=k)
        thermal.append(copy)
    found = geo.geometry(from_atoms([labelled_bare(a) for a in thermal]))
    assert low < found.cutoff < high
    if neighbours is not None:
        assert (np.concatenate(found.coordination) == neighbours).all()


def labelled_bare(atoms):
    atoms = atoms.copy()
    atoms.info["REF_energy"] = 0.0
    return atoms


def test_geometry_of_lone_atoms_and_given_cutoffs():
    frames = [labelled_bare(Atoms("Cu", cell=[20] * 3, pbc=True)), labelled_bare(Atoms("CuAl"))]
    frames[1].positions[1] = [0, 0, 2.5]
    found = geo.geometry(from_atoms(frames), cutoff=2.6)
    assert [c.tolist() for c in found.coordination] == [[0], [1, 1]]
    assert np.isinf(found.nearest[0]).all() and found.nearest[1] == pytest.approx([2.5, 2.5])
    assert found.shortest == {(13, 29): pytest.approx(2.5)} and np.isnan(found.volume).all()
    with pytest.raises(GapyError, match="neighbour_cutoff: expected a length above 0"):
        geo.geometry(from_atoms(frames), cutoff=-1.0)


@pytest.mark.parametrize("atoms", [bulk("Cu"), bulk("Si"), bulk("Cu", cubic=True).repeat(3)])
def test_volume_of_crystals_is_not_mistaken_for_vacuum(atoms):
    assert geo.volume_per_atom(atoms) == pytest.approx(atoms.get_volume() / len(atoms))


def test_kernel_map_is_centred_and_ordered(report):
    (m,) = report.maps
    assert m.symbol == "Cu" and len(m.xy) == len(m.group) <= SAMPLE
    np.testing.assert_allclose(m.xy.mean(axis=0), 0.0, atol=1e-10)
    assert m.share.sum() <= 1.0 and m.share[0] > m.share[1] > 0.0
    # Against the definition: the leading eigenvectors of the centred kernel matrix.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 6))
    x /= np.linalg.norm(x, axis=1)[:, None]
    sample = type("S", (), {"x_nd": x, "group_n": np.zeros(30, dtype=int)})()
    _, xy, share = kernel_map(sample, lambda x, y: dot_product(x, y, 3), seed=0)
    centre = np.eye(30) - 1.0 / 30
    values = np.linalg.eigvalsh(centre @ (x @ x.T) ** 3 @ centre)[::-1]
    np.testing.assert_allclose((xy**2).sum(axis=0), values[:2], rtol=1e-8)
    np.testing.assert_allclose(share, values[:2] / values.sum(), rtol=1e-8)


def test_isolated_atoms_and_forces_that_vanish_by_symmetry_are_no_findings():
    frames = copper(12) + [labelled(bulk("Cu", a=a, cubic=True), "md") for a in (3.5, 3.6, 3.7)]
    frames.append(labelled(Atoms("Cu", cell=[15] * 3, pbc=True), "IsolatedAtom"))
    report = gapy.inspect(frames)
    assert np.isnan(report.force_error[12:]).all() and np.isfinite(report.force_error[:12]).all()
    assert np.isnan(report.energy_error[15]) and np.isnan(report.novelty[15])
    assert not report.thin and min(report.coordination["Cu"]) > 0
    assert not [o for o in report.outliers if "force" in o.reason]
    assert not [s for s in report.suggestions if "frame 15" in s.what]


# -- candidates ----------------------------------------------------------------------------------


def test_candidates_far_from_the_data_come_first_and_equal_ones_once():
    frames = copper(8)
    seen = frames[2].copy()
    strange = bulk("Cu", "sc", a=2.4).repeat(3)
    strange.rattle(0.1, seed=1)
    liquid = bulk("Cu", cubic=True).repeat(2)
    liquid.rattle(0.4, seed=2)
    pool = [seen, strange, liquid, strange.copy()]
    report = gapy.inspect(frames, candidates=pool, n_candidates=3)
    chosen = [s.what for s in report.suggestions if s.what.startswith("candidate")]
    assert set(chosen[:2]) >= {"candidate 2"} | ({"candidate 1", "candidate 3"} & set(chosen[:2]))
    assert len({"candidate 1", "candidate 3"} & set(chosen)) == 1
    gold = bulk("Au", cubic=True)
    with pytest.raises(SpeciesError, match=r"candidate 0: .*Au.*new in any case"):
        gapy.inspect(frames, candidates=[gold])


# -- without labels, bad input, files ------------------------------------------------------------


def test_without_labels_the_geometry_remains():
    frames = copper(6)
    for atoms in frames:
        atoms.info = {"config_type": "md"}
        del atoms.arrays["REF_forces"]
    report = gapy.inspect(frames)
    assert report.fit == "no labels, no errors" and report.force_max is None
    assert report.groups[0].energy is None and report.groups[0].distance_within > 0.0
    assert np.isnan(report.force_error).all() and not report.outliers
    text = report_text(report)
    assert "structures with labels  none" in text and "nan" not in text
    assert len(picture(report)) == 3


def test_labels_under_other_keys_are_not_overlooked():
    frames = copper(3)
    for atoms in frames:
        atoms.info = {"my_energy": 1.0}
        del atoms.arrays["REF_forces"]
    with pytest.raises(StructureError, match="my_energy"):
        gapy.inspect(frames)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"twin_distance": 2.0}, "twin_distance: expected 0 up to 1"),
        ({"candidates": [], "n_candidates": 0}, "n_candidates: expected at least 1"),
        ({"neighbour_cutoff": 50.0}, "neighbour_cutoff"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(GapyError, match=message):
        gapy.inspect(copper(2), **options)


def test_the_same_data_give_the_same_report(frames, report):
    assert gapy.inspect(frames).to_dict() == report.to_dict()


def test_command_line(cli, tmp_path, train_xyz):
    model_file = tmp_path / "m.gapy"
    small = ("--r-cut", 4, "--n-max", 2, "--l-max", 1, "--n-inducing", 8)
    assert cli("fit", train_xyz, "-o", model_file, *small).code == 0
    out, png = tmp_path / "out.json", tmp_path / "map.png"
    done = cli("inspect", train_xyz, "--model", model_file, "--json", out, "--plot", png)
    assert done.code == 0 and done.err == ""
    assert "alloy" in done.out and "not covered" in done.out and "suggestions" in done.out
    values = json.loads(out.read_text())
    assert values["n_structures"] == 18 and len(values["structures"]) == 18
    assert values["groups"][0]["name"] == "alloy" and values["elements"][1]["name"] == "Cu"
    assert "left out in turn" in values["fit"]
    assert png.read_bytes().startswith(PNG)


def test_command_line_without_labels_and_with_candidates(cli, tmp_path):
    bare = [Atoms(a.numbers, a.positions, cell=a.cell, pbc=True) for a in labelled_frames(5, 4)]
    write(tmp_path / "bare.xyz", bare, format="extxyz")
    done = cli("inspect", tmp_path / "bare.xyz", "--candidates", tmp_path / "bare.xyz")
    assert done.code == 0 and "no labels, no errors" in done.out
    assert "bare.xyz" in cli("inspect", tmp_path / "bare.xyz", "--energy-key", "E").error_line()
    assert "none.xyz" in cli("inspect", tmp_path / "none.xyz").error_line()
    assert "MODEL" not in cli("inspect", tmp_path / "bare.xyz", "--model", "no").error_line()
    assert "threads" in cli("inspect", tmp_path / "bare.xyz", "--threads", 0).error_line()
    assert "missing" in cli(
        "inspect", tmp_path / "bare.xyz", "--plot", tmp_path / "missing" / "a.png"
    ).error_line()  # fmt: skip
