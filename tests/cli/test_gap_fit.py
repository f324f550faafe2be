"""Command lines of gap_fit as settings."""

import json

import numpy as np
import pytest
from ase.io import write
from helpers import labelled_frames

from gapy.cli.gap_fit import stress_sigma, translated
from gapy.cli.settings import FitSettings
from gapy.errors import GapyError
from gapy.structures import LabelKeys, from_atoms

STANDARD = """gap_fit at_file=train.xyz gap={distance_2b cutoff=4.5 n_sparse=15 \\
  covariance_type=ard_se delta=1.0 theta_uniform=1.0 sparse_method=uniform add_species=T :
  soap n_max=3 l_max=2 atom_sigma=0.5 zeta=4 cutoff=4.0 cutoff_transition_width=1.0 n_sparse=20
  delta=0.2 covariance_type=dot_product sparse_method=cur_points add_species=T}
  default_sigma={0.002 0.05 0.1 0.0} config_type_sigma={alloy:0.004:0.2:0.2:0.0}
  energy_parameter_name=REF_energy force_parameter_name=REF_forces e0_method=average
  sparse_jitter=1.0e-8 do_copy_at_file=F gp_file=GAP.xml"""


def test_the_standard_recipe():
    found = translated(STANDARD)
    assert found.settings == {
        "train": ("train.xyz",),
        "output": "GAP.gapy",
        "term": (
            {"kind": "pair", "r_cut": 4.5, "n_inducing": 15, "delta": 1.0, "length": 1.0},
            {
                "kind": "soap", "n_max": 3, "l_max": 2, "sigma": 0.5, "zeta": 4, "r_cut": 4.0,
                "n_inducing": 20, "delta": 0.2, "selection": "cur",
            },
        ),
        "sigma_energy": 0.002, "sigma_forces": 0.05, "sigma_stress": 0.1,
        "noise": {"alloy": {"energy": 0.004, "forces": 0.2, "stress": 0.2}},
        "energy_key": "REF_energy", "forces_key": "REF_forces", "e0": "fit",
    }  # fmt: skip
    settings = FitSettings(**found.settings)
    assert not settings.learns_noise()  # given means given
    lines = list(found.lines())
    # Everything that was said is accounted for, with a reason where it is left out.
    for word in ("covariance_type", "cutoff_transition_width", "sparse_jitter", "do_copy_at_file"):
        assert any(word in line and "not mapped" in line and ": " in line for line in lines)


def test_two_soaps_by_species_free_atoms_and_old_names():
    found = translated(
        "atoms_filename=a.xyz gap={soap Z=14 cutoff=6 n_max=4 l_max=2 n_sparse=50:"
        "soap Z=8 cutoff=3d0 n_max=6 l_max=4 n_sparse=30} default_sigma='0.01 0.2 0 0' "
        "e0={Si:-100.5:O:-432.0} virial_parameter_name=virial"
    )
    one, two = found.settings["term"]
    assert one["species"] == ["Si"] and two["species"] == ["O"] and two["r_cut"] == 3.0
    assert found.settings["e0"] == {"Si": -100.5, "O": -432.0}
    assert found.settings["stress"] is False and "sigma_stress" not in found.settings
    # Where gap_fit is told no names it looks for these.
    assert found.settings["energy_key"] == "energy" and found.settings["forces_key"] == "force"
    assert found.settings["virial_key"] == "virial"


def test_terms_that_there_are_not_are_named():
    found = translated("gap={angle_3b cutoff=3.0 n_sparse=10 : soap cutoff=4 n_max=2 l_max=2}")
    assert len(found.settings["term"]) == 1
    assert any("angle_3b" in line for line in found.ignored)
    # Distances too far apart for their length: more of them, and said.
    found = translated("gap={distance_2b cutoff=6 n_sparse=5 theta_uniform=0.5 : soap cutoff=4}")
    assert found.settings["term"][0]["n_inducing"] > 15
    assert any("n_sparse=5" in line for line in found.ignored)


@pytest.mark.parametrize(
    "command, words",
    [
        ("", "expected gap="),
        ("gap_fit at_file=x.xyz", "expected gap="),
        ("gap={distance_2b cutoff=4 n_sparse=20}", "expected a soap"),
        ("gap={soap cutoff=4", "every brace"),
        ("gap={soap cutoff=four}", "expected numbers"),
        ("gap={soap cutoff}", "expected name=value"),
        ("teach_sparse gap={soap cutoff=4}", "expected name=value"),
        ("gap={soap cutoff=4} config_type_sigma={a:1:2}", "3 parts"),
    ],
)
def test_what_is_no_such_command(cli, tmp_path, command, words):
    with pytest.raises(GapyError, match=f"from-gap-fit: .*{words}"):
        translated(command)
    assert words in cli("fit", "--from-gap-fit", command, "-o", tmp_path / "m.gapy").error_line()


def test_sigmas_of_virials_become_those_of_stresses():
    frames = labelled_frames(6, seed=1)
    structures = from_atoms(frames, LabelKeys())
    settings = FitSettings(sigma_stress=0.1, noise={"alloy": {"stress": 0.2, "energy": 0.3}})
    found = stress_sigma(settings, structures)
    scale = np.median([2.0 / a.get_volume() for a in frames])
    assert found.sigma_stress == pytest.approx(0.1 * scale)
    assert found.noise["alloy"] == pytest.approx({"stress": 0.2 * scale, "energy": 0.3})


def test_it_fits(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("train.xyz", labelled_frames(9, seed=2))
    out = cli("fit", "--from-gap-fit", STANDARD)
    assert out.code == 0, out.err
    assert "not mapped: sparse_jitter" in out.out
    summary = json.loads(cli("info", "GAP.gapy", "--json").out)
    assert [t["descriptor"]["kind"] for t in summary["terms"]] == ["pair", "SOAP"]
    assert summary["noise"]["forces"] == 0.05 and summary["terms"][1]["delta"][0] == 0.2
    assert summary["noise"]["overrides"]["alloy"]["forces"] == 0.2
    # Flags win.
    assert cli("fit", "--from-gap-fit", STANDARD, "--optimize", "-o", "b.gapy").code == 0
    learnt = json.loads(cli("info", "b.gapy", "--json").out)
    assert learnt["noise"]["forces"] != 0.05
