"""What is printed says in words what it is."""

from pathlib import Path

import numpy as np
from ase import Atoms
from helpers import labelled_frames

import gapy
from gapy.active.display import summary
from gapy.active.parts import Progress
from gapy.active.walkers import Tally
from gapy.descriptors import auto_soap

ROOT = Path(__file__).parents[2]


def test_a_labelled_structure_is_one_short_line(train_xyz):
    shown = repr(gapy.read_structures(train_xyz)[2])
    assert shown == (
        "LabelledStructure(Al2Cu2; energy, forces, stress; config_type 'alloy'; train.xyz frame 2)"
    )
    atoms = labelled_frames(1, seed=1)[0]
    del atoms.arrays["REF_forces"], atoms.info["REF_stress"]
    shown = repr(gapy.structures.from_atoms(atoms)[0])
    assert shown == "LabelledStructure(Cu4; energy; config_type 'pure'; frames frame 0)"


def test_info_explains_the_force_sigma(cli, model_file):
    lines = cli("info", model_file).out.splitlines()
    (follows,) = (line for line in lines if line.startswith("force sigma follows"))
    assert "distance from the leading inducing points" in follows
    assert any(line.startswith("outside the data") and "grows as" in line for line in lines)
    assert not any("mean of first" in line for line in lines)


def test_the_loop_says_what_its_errors_are():
    progress = Progress(
        version=1, n_labels=2, n_failures=0, tally=Tally(ps=0.5, steps=250), sigma=0.017,
        share_without_label=0.99, found=(0.5, 0.007, 0.077), seconds={},
    )  # fmt: skip
    assert summary(progress).endswith("force errors at the last labels 0.500 0.007 0.077 eV/A")


def test_inducing_points_of_several_species_are_rounded():
    """What docs/tuning.md says of their total."""
    rng = np.random.default_rng(0)
    symbols = ("Si", "Ge", "Sn")
    numbers = rng.choice(symbols, 4500)
    atoms = Atoms(numbers, rng.uniform(0, 60, (4500, 3)), cell=[60] * 3, pbc=True)
    points = auto_soap([atoms], r_cut=5.0).n_inducing
    assert set(points.values()) == {700}
    assert "about 2000 in all" in (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8")


def test_the_first_page_links_to_every_page():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert not [page for page in pages if f"({page})" not in index]
    notebooks = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert not [name for name in notebooks if f"(../notebooks/{name})" not in index]
