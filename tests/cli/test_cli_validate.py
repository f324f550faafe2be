"""`gapy validate` as a user runs it, and what its report holds."""

import json
import re

import ase.io
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from test_cli_properties import labelled

import gapy
from gapy.descriptors import smooth_soap
from gapy.errors import GapyError
from gapy.validation import validating, validation_report
from gapy.validation.references import reference_of
from gapy.validation.starting import ground_state, lowest_energy
from gapy.validation.summary import reasons, text, verdict
from gapy.validation.validating import validate

QUICK = ("--checks", "forces,rotation,dimers,pulled", "--properties", "eos,stacking")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model of copper, labelled structures, a start."""
    folder = tmp_path_factory.mktemp("copper")
    soap = smooth_soap(["Cu"], r_cut=4.5, n_max=5, l_max=4)
    gp = gapy.SparseGPRegressor(soap, n_inducing=40, zeta=2, optimize=True)
    gp.fit(list(labelled(40, seed=1))).potential_.save(folder / "cu.gapy")
    ase.io.write(folder / "start.xyz", bulk("Cu", a=3.65))
    ase.io.write(folder / "test.xyz", list(labelled(6, seed=2)), format="extxyz")
    return folder


def test_the_report_has_all_parts_and_the_json_the_same_numbers(files, cli, tmp_path):
    out = cli(
        "validate", files / "cu.gapy", "--start", files / "start.xyz", "--test",
        files / "test.xyz", "--reference", "ase.calculators.emt.EMT", "--members", 2, *QUICK,
        "-o", tmp_path / "v",
    )  # fmt: skip
    assert out.code == 0, out.err
    said = json.loads((tmp_path / "v" / "validate.json").read_text())
    checks = {c["name"]: c for c in said["health"]}
    assert checks["forces are derivatives"]["verdict"] == "pass"
    assert {"dimer Cu-Cu: force flips", "bond Cu-Cu pulled"} <= checks.keys()
    rows = {r["name"]: r for r in said["properties"]}
    assert rows["eos a"]["verdict"] == "good" and rows["eos a"]["std"] > 0.0
    assert rows["eos a"]["reference"] == pytest.approx(3.59, abs=0.01)
    assert rows["stacking intrinsic"]["unit"] == "J/m^2"
    assert said["test"]["n_structures"] == 6
    assert said["facts"]["model sha256"] == gapy.load(files / "cu.gapy").sha256
    page = (tmp_path / "v" / "report.html").read_text()
    for title in ("Overview", "Health", "Properties", "Errors on labelled structures"):
        assert f"<h2>{title}</h2>" in page
    assert said["facts"]["data sha256"] in page and "ase.calculators.emt.EMT" in page
    pictures = {p.name for p in (tmp_path / "v").glob("*.png")}
    assert {"dimers.png", "pulled.png", "eos.png", "parity.png"} <= pictures
    assert page.count("data:image/png;base64,") == len(pictures)
    assert "eos a" in out.out and f"report in {tmp_path / 'v' / 'report.html'}" in out.out
    # Again into the same place, which is ours; strict tells failures by the exit code.
    again = (
        "validate", files / "cu.gapy", "--start", files / "start.xyz", "--members", 0, "--checks",
        "none", "--properties", "eos", "--strict", "-o", tmp_path / "v",
    )  # fmt: skip
    assert cli(*again).code == 0
    (tmp_path / "table.json").write_text(json.dumps({"numbers": {"eos a": 4.0}}))
    assert cli(*again, "--reference", tmp_path / "table.json").code == 1


def test_without_a_start_it_is_the_ground_state_that_the_model_knows(files, monkeypatch):
    potential = gapy.load(files / "cu.gapy")
    atoms, source = ground_state(potential)
    assert len(atoms) == 1 and "fcc: the lowest of" in source
    monkeypatch.setattr("gapy.validation.validating.ground_state", lambda known: (atoms, source))
    found = validate(potential, members=0, checks=[], only=["eos"])
    assert found.source == source and not found.checks and found.evaluation is None
    assert {r.verdict for r in found.rows} == {"no reference"} and found.failures == ()
    # A given start is judged by that of its composition; a cell may have one atom.
    each = atoms.get_potential_energy() / len(atoms)
    one = potential.with_references([bulk("Cu")])
    assert lowest_energy(one, bulk("Cu", "bcc", a=2.9)) == pytest.approx(each, abs=1e-4)
    assert lowest_energy(one, Atoms("Cu2", [[0, 0, 0], [0, 0, 2.4]])) is None
    with pytest.raises(GapyError, match="give one, --start FILE"):
        ground_state(potential.with_references([Atoms("Cu")]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--members", 1], "members: expected 0, or at least 2"),
        (["--suite", "liquid"], "suite: expected auto, bulk, molecule"),
        (["--suite", "molecule"], "suite: molecule needs a molecule"),
        (["--reference", "nothing.here"], "reference: cannot import"),
        (["--reference", "missing/file.xyz"], "which is no file"),
        (["--reference", "missing.json"], "which is no file"),
        (["--reference", ""], "which is no file"),
        (["--reference", "/"], "a directory"),
        (["--reference", "si.gapy"], "a model"),
        (
            ["--reference", "collections.Counter"],
            "reference: expected what makes an ASE calculator",
        ),
        (["--energy-key", "dft"], "of no labelled structures; give --test"),
        (["--checks", "colour", "--properties", "none"], "checks: expected some of"),
        (["--checks", "none", "--properties", "colour"], "only: expected some of"),
        (["--checks", ""], "got ''; correct it"),
    ],
)
def test_bad_values_are_one_line(files, cli, tmp_path, options, words):
    start = ["--start", files / "start.xyz"]
    out = cli("validate", files / "cu.gapy", *start, "-o", tmp_path / "v", *options)
    assert words in out.error_line()
    assert not (tmp_path / "v").exists()


def test_names_are_checked_before_anything_is_computed(files, monkeypatch):
    monkeypatch.setattr(validating, "run_health", lambda *a, **k: pytest.fail("computed"))
    potential = gapy.load(files / "cu.gapy")
    for options in ({"only": ["colour"]}, {"checks": ["colour"]}, {"only": "colour"}):
        with pytest.raises(GapyError, match="got 'colour'"):
            validate(potential, bulk("Cu"), **options)


def test_one_member_and_texts_are_refused(files, tmp_path):
    potential = gapy.load(files / "cu.gapy")
    for options in ({"members": 1}, {"reference": "ase.calculators.emt.EMT"}):
        with pytest.raises(GapyError, match=f"{next(iter(options))}: expected"):
            validate(potential, bulk("Cu"), **options)
    found = validate(potential, bulk("Cu"), checks=[], only=[], members=0)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(GapyError, match="expected a directory"):
        validation_report.write(found, tmp_path / "file")


def test_nothing_is_written_over(files, cli, tmp_path):
    (tmp_path / "report.html").write_text("my thesis")
    out = cli("validate", files / "cu.gapy", "-o", tmp_path)
    assert "report.html exists and is not a report page of gapy" in out.error_line()
    assert (tmp_path / "report.html").read_text() == "my thesis"


def test_a_reference_is_read_for_what_it_is(files, tmp_path):
    table = tmp_path / "r.json"
    table.write_text('{"class": "ase.calculators.emt.EMT"}')
    assert isinstance(reference_of(str(table)).calculator, EMT)
    table.write_text('{"numbers": {"eos a": 3.6}, "settings": {}}')
    assert reference_of(str(table)).of_properties == {"eos a": 3.6}
    labelled_set = reference_of(f"{files / 'test.xyz'}@0:3")
    assert labelled_set.labelled and labelled_set.of_properties is None
    for wrong in ("[1, 2]", '{"eos a": "large"}', "{}", "no json"):
        table.write_text(wrong)
        with pytest.raises(GapyError, match="reference: expected"):
            reference_of(str(table))


def test_what_failed_is_said_why_and_nothing_judged_is_not_good(files, cli, tmp_path):
    cu, start = gapy.load(files / "cu.gapy"), bulk("Cu", a=3.65)
    with pytest.warns(UserWarning, match="reference: no row is named 'eos q'; rows are eos B"):
        found = validate(cu, start, members=0, checks=[], only=["eos"], reference={"eos q": 1.0})
    assert verdict(found) == "nothing judged" and reasons(found) == []
    validation_report.write(found, tmp_path / "v")
    for old in ("nve.png", "mine.png"):
        (tmp_path / "v" / old).write_text("of an earlier report")
    page = validation_report.write(found, tmp_path / "v").read_text()
    assert "nothing judged</span>" in page
    assert {p.name for p in (tmp_path / "v").glob("*.png")} == {"eos.png", "mine.png"}
    small = bulk("Cu", "sc", a=1.6)
    found = validate(cu, small, members=0, checks=["forces"], only=["eos"], reference=EMT())
    (why,) = [line for line in reasons(found) if line.startswith("eos: ")]
    assert why in text(found) and len(why) > 20 and verdict(found).endswith("failed")


def test_an_inspection_is_the_same_kind_of_page(files, cli, tmp_path):
    out = cli("inspect", files / "test.xyz", "--html", tmp_path / "data.html")
    assert out.code == 0, out.err
    page = (tmp_path / "data.html").read_text()
    for title in ("Data", "Groups", "Suggestions", "Environments", "Structures"):
        assert f"<h2>{title}</h2>" in page
    assert "strained" in page and re.search(r"data:image/png;base64,", page)
    assert cli("inspect", files / "test.xyz", "--html", tmp_path / "data.html").code == 0
