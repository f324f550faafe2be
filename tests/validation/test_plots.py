"""Pictures are written, show what they should, and refuse what they cannot show."""

import builtins
from dataclasses import replace

import numpy as np
import pytest

import gapy
from gapy._support import drawing
from gapy.errors import GapyError
from gapy.validation import plots
from gapy.validation.evaluation import evaluate

PNG = b"\x89PNG\r\n\x1a\n"
HEADER = (
    "step,time_fs,temperature_K,target_temperature_K,potential_energy_eV,total_energy_eV,"
    "max_force_std_eV_per_A,mean_force_std_eV_per_A,max_energy_std_eV,wall_time_s"
)


@pytest.fixture(scope="module")
def report(potential, test_frames):
    return evaluate(potential, test_frames)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "md.csv"
    rows = [f"{k},{k}.0,300,310,-5.0,-4.9,0.{k},0.05,0.01,0.001" for k in range(1, 9)]
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def test_parity(report, tmp_path):
    energy, forces = plots.parity(report, tmp_path / "parity.png")
    assert (tmp_path / "parity.png").read_bytes().startswith(PNG)
    assert "meV/atom" in energy.get_title() and "eV/Å" in forces.get_title()
    # One cloud for each config_type, of as many points as there are labels.
    assert sum(len(c.get_offsets()) for c in forces.collections) == 3 * report.total.n_atoms
    assert [t.get_text() for t in forces.figure.legends[0].get_texts()] == ["alloy", "pure"]


def test_parity_draws_small_groups_last(report):
    """Three atoms of one group among the others: on top, and of their own colour and shape."""
    group = np.array(["zz"] * 33 + ["aa"] * 3)
    samples = replace(report.samples, forces_group=group)
    few = replace(report, samples=samples, by_config_type={"aa": None, "zz": None})
    clouds = plots.parity(few)[1].collections
    assert [c.get_label() for c in clouds] == ["zz", "aa"]
    assert [len(c.get_offsets()) for c in clouds] == [99, 9]
    assert not np.array_equal(clouds[0].get_facecolor(), clouds[1].get_facecolor())
    assert len(clouds[0].get_paths()[0]) != len(clouds[1].get_paths()[0])


def test_parity_of_energies_alone(potential, test_frames):
    frames = [a.copy() for a in test_frames]
    for atoms in frames:
        del atoms.arrays["REF_forces"]
    report = evaluate(potential, frames)
    assert len(plots.parity(report)) == 1
    with pytest.raises(GapyError, match="expected forces, got none"):
        plots.sigma_against_error(report)


def test_sigma_against_error(report, tmp_path):
    ax = plots.sigma_against_error(report, tmp_path / "sigma.png")
    assert (tmp_path / "sigma.png").read_bytes().startswith(PNG)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert len(ax.collections[0].get_offsets()) == report.total.n_atoms


def test_bins_hold_every_atom_and_follow_an_honest_sigma():
    rng = np.random.default_rng(0)
    sigma = 10 ** rng.uniform(-2, 0, size=4000)
    error = sigma * np.abs(rng.normal(size=4000))
    centres, rms = plots._bins(sigma, error)
    assert len(centres) == plots.N_BINS and (np.diff(centres) > 0).all()
    np.testing.assert_allclose(rms, centres, rtol=0.2)


def test_few_atoms_make_one_bin():
    centres, rms = plots._bins(np.array([0.1, 0.2]), np.array([0.3, 0.4]))
    assert len(centres) == len(rms) == 1


def test_md_timeline(log, tmp_path):
    top, middle, bottom = plots.md_timeline(
        [log, str(log)], tmp_path / "md.png", max_force_std=0.6, labels=("cold", "hot")
    )
    assert (tmp_path / "md.png").read_bytes().startswith(PNG)
    assert [t.get_text() for t in top.texts] == ["cold", "hot"]
    # The second run follows the first one in time.
    assert bottom.lines[1].get_xdata()[0] == pytest.approx((8.0 + 1.0) / 1000)
    assert "0.6" in middle.get_legend().get_texts()[-1].get_text()


def test_md_timeline_without_uncertainty(tmp_path, log):
    path = tmp_path / "plain.csv"
    path.write_text(f"{HEADER}\n0,0.0,300,300,-5,-4.9,nan,nan,nan,0.001\n")
    assert len(plots.md_timeline(path)) == 3


@pytest.mark.parametrize("content", [None, "", "a,b\n1,2\n", HEADER + "\n"])
def test_log_that_is_none(tmp_path, content):
    path = tmp_path / "none.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(GapyError, match=r"none\.csv: expected the md\.csv of a run"):
        plots.md_timeline(path)


def test_full_disk_is_one_error(report):
    with pytest.raises(GapyError, match="No space left"):
        plots.parity(report, "/dev/full")


def test_without_matplotlib_the_error_names_the_extra(report, monkeypatch):
    imported = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(GapyError, match=r'pip install "gapy\[plot\]"'):
        plots.parity(report)


def test_pictures_draw_into_axes_of_ones_own(report, log):
    """Nothing else of the figure changes, and another number of Axes is refused."""
    figure = drawing.new_figure(8.0, 8.0)
    grid = figure.subplots(2, 3)
    assert gapy.plots.parity(report, ax=grid[0, :2]) == tuple(grid[0, :2])
    assert gapy.plots.sigma_against_error(report, ax=grid[0, 2]) is grid[0, 2]
    assert gapy.plots.md_timeline(log, ax=grid[1]) == tuple(grid[1])
    assert len(figure.axes) == 6 and not figure.legends
    assert all(ax.lines for ax in grid.ravel())
    with pytest.raises(GapyError, match="ax: expected 2 Axes"):
        gapy.plots.reliability(report, ax=grid[0])
    assert str(3 * report.total.n_atoms) in grid[0, 1].get_title()


def test_every_picture_has_a_name():
    assert all(callable(getattr(gapy.plots, name)) for name in gapy.plots.__all__)
    with pytest.raises(AttributeError, match="no attribute 'pie'"):
        gapy.plots.pie  # noqa: B018
