"""Model files: exact round trip, refusal of everything that is not what was saved."""

import errno
import hashlib
import io
import json
import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from dscribe.descriptors import ACSF, SOAP

import gapy
from gapy.errors import GapyError, ModelFileError
from gapy.model import modelfile


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def with_header(data: bytes, **changes) -> bytes:
    """The file with another header, its hash made to fit."""
    contents = members(data)
    header = {**json.loads(contents["header.json"]), **changes}
    text = json.dumps(header).encode()
    contents["header.json"] = text
    contents["header.sha256"] = hashlib.sha256(text).hexdigest().encode()
    return zipped(contents)


def refused(tmp_path, data: bytes) -> str:
    path = tmp_path / "bad.gapy"
    path.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        gapy.load(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and ";" in message and "\n" not in message
    return message


# -- round trip ---------------------------------------------------------------------------------


@pytest.mark.parametrize("uncertainty", [True, "full"])
def test_loaded_model_predicts_the_same_bits(potential, model_file, test_frames, uncertainty):
    loaded = gapy.load(model_file)
    for atoms in test_frames:
        results = []
        for p in (potential, loaded):
            calculator = p.calculator(uncertainty=uncertainty)
            calculator.calculate(atoms, ["energy", "forces", "stress"])
            results.append(calculator.results)
        assert results[0].keys() == results[1].keys()
        for name, value in results[0].items():
            np.testing.assert_array_equal(results[1][name], value, strict=True)


def test_loaded_model_keeps_everything(potential, model_file):
    loaded = gapy.load(model_file)
    assert loaded.e0 == potential.e0
    assert loaded.noise == potential.noise
    assert loaded.metadata == potential.metadata
    assert loaded.calibration == potential.calibration
    assert loaded.species == potential.species and loaded.cutoff == potential.cutoff
    assert [e for _, e in loaded.references] == [e for _, e in potential.references]
    for name in ("w", "alpha", "r_factor", "log_marginal_likelihood"):
        np.testing.assert_array_equal(
            getattr(loaded.posterior, name), getattr(potential.posterior, name)
        )
    for one, other in zip(loaded.posterior.cholesky, potential.posterior.cholesky):
        np.testing.assert_array_equal(one, other)


def test_saving_again_gives_the_same_bytes(potential, model_file, tmp_path):
    gapy.load(model_file).save(tmp_path / "again.gapy")
    potential.save(tmp_path / "second.gapy")
    expected = model_file.read_bytes()
    assert (tmp_path / "again.gapy").read_bytes() == expected
    assert (tmp_path / "second.gapy").read_bytes() == expected


def test_file_is_a_zip_of_arrays_without_pickle(model_file):
    contents = members(model_file.read_bytes())
    header = json.loads(contents["header.json"])
    assert header["format"] == "gapy potential" and header["units"]["energy"] == "eV"
    assert header["model"]["species"] == ["Al", "Cu"]
    assert header["arrays"]
    for name in header["arrays"]:
        array = np.load(io.BytesIO(contents[f"arrays/{name}.npy"]), allow_pickle=False)
        assert array.dtype in (np.float64, np.int64)


@pytest.mark.parametrize(
    "descriptor",
    [
        SOAP(
            species=[13, 29], r_cut=4.0, n_max=3, l_max=2, sigma=0.5, periodic=True,
            weighting={"function": "poly", "r0": 4.0, "c": 1, "m": 1},
            compression={"mode": "mu2", "species_weighting": {13: 1.5, 29: 0.5}},
        ),
        SOAP(
            species=["Al", "Cu"], r_cut=4.0, n_max=3, l_max=2, sigma=0.5, periodic=True,
            rbf="polynomial", weighting={"function": "poly", "r0": 4.0, "c": 1, "m": 1},
            compression={"mode": "crossover", "species_weighting": {"Al": 1.5, "Cu": 0.5}},
        ),
        ACSF(species=["Al", "Cu"], r_cut=4.0, g2_params=[[1.0, 1.0], [1.0, 2.0]], periodic=True),
    ],
    ids=["soap-mu2-weights", "soap-polynomial", "acsf"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Please use atoms.calc:FutureWarning")
def test_other_descriptors_come_back(descriptor, train_frames, tmp_path):
    fitted = gapy.SparseGPRegressor(descriptor, n_inducing=5).fit(train_frames[:3]).potential_
    fitted.save(tmp_path / "a.gapy")
    loaded = gapy.load(tmp_path / "a.gapy")
    loaded.save(tmp_path / "b.gapy")
    assert (tmp_path / "a.gapy").read_bytes() == (tmp_path / "b.gapy").read_bytes()
    one, other = fitted.evaluate(train_frames[4]), loaded.evaluate(train_frames[4])
    assert one.energy == other.energy
    np.testing.assert_array_equal(one.forces, other.forces)


def test_two_terms_and_noise_overrides_come_back(train_frames, tmp_path):
    soaps = [
        gapy.descriptors.smooth_soap(["Al", "Cu"], r_cut=r, n_max=2, l_max=1) for r in (3.5, 4.5)
    ]
    noise = {"alloy": {"forces": 0.2}}
    fitted = gapy.SparseGPRegressor(soaps, n_inducing=5, noise_overrides=noise).fit(train_frames)
    fitted.potential_.save(tmp_path / "two.gapy")
    loaded = gapy.load(tmp_path / "two.gapy")
    assert len(loaded.terms) == 2 and loaded.cutoff == 4.5
    assert loaded.noise.sigma("forces", "alloy") == 0.2
    expected = fitted.potential_.evaluate(train_frames[0]).energy
    assert loaded.evaluate(train_frames[0]).energy == expected


# -- files that are refused ---------------------------------------------------------------------


def test_missing_file(tmp_path):
    with pytest.raises(ModelFileError, match="expected a gapy model file, got: No such file"):
        gapy.load(tmp_path / "none.gapy")


def test_directory(tmp_path):
    with pytest.raises(ModelFileError, match="got: Is a directory"):
        gapy.load(tmp_path)


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x80\x04pickle"])
def test_not_a_model(tmp_path, data):
    assert "expected a gapy model file" in refused(tmp_path, data)


def test_another_zip(tmp_path):
    assert "without header.json" in refused(tmp_path, zipped({"a.txt": b"a"}))


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.7, 0.999])
def test_truncated(tmp_path, model_file, fraction):
    data = model_file.read_bytes()
    assert "truncated or damaged" in refused(tmp_path, data[: int(fraction * len(data))])


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path, model_file):
    """A byte may be spare in the zip format; where it is not, loading fails with our error."""
    data = model_file.read_bytes()
    expected = modelfile.read(model_file)
    path = tmp_path / "flipped.gapy"
    n_refused = 0
    for position in np.random.default_rng(0).integers(len(data), size=300):
        flipped = bytearray(data)
        flipped[position] ^= 0x10
        path.write_bytes(flipped)
        try:
            found = modelfile.read(path)
        except ModelFileError:
            n_refused += 1
            continue
        assert found.sha256 == expected.sha256
        for name, array in expected.arrays.items():
            np.testing.assert_array_equal(found.arrays[name], array)
    assert n_refused > 250


def test_altered_array(tmp_path, model_file):
    contents = members(model_file.read_bytes())
    array = np.load(io.BytesIO(contents["arrays/alpha.npy"]))
    array[0] *= 1.0 + 1e-15
    buffer = io.BytesIO()
    np.save(buffer, array)
    contents["arrays/alpha.npy"] = buffer.getvalue()
    message = refused(tmp_path, zipped(contents))
    assert "arrays/alpha.npy" in message and "altered" in message


def test_altered_header(tmp_path, model_file):
    contents = members(model_file.read_bytes())
    contents["header.json"] = contents["header.json"].replace(b'"zeta": 4', b'"zeta": 3')
    message = refused(tmp_path, zipped(contents))
    assert "header.json" in message and "altered" in message


def test_pickled_array_is_never_opened(tmp_path, model_file):
    contents = members(model_file.read_bytes())
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    digests = json.loads(contents["header.json"])["arrays"]
    digests["alpha"] = hashlib.sha256(buffer.getvalue()).hexdigest()
    contents["arrays/alpha.npy"] = buffer.getvalue()
    assert "alpha" in refused(tmp_path, with_header(zipped(contents), arrays=digests))


def test_missing_and_extra_member(tmp_path, model_file):
    contents = members(model_file.read_bytes())
    assert "spare.npy" in refused(tmp_path, zipped({**contents, "spare.npy": b""}))
    del contents["arrays/w.npy"]
    assert "w.npy" in refused(tmp_path, zipped(contents))


def test_header_hash_missing(tmp_path, model_file):
    contents = members(model_file.read_bytes())
    del contents["header.sha256"]
    assert "header.sha256" in refused(tmp_path, zipped(contents))


@pytest.mark.parametrize(
    ("version", "remedy"), [(5, "update gapy"), (1, "fit again"), ("2", "update"), (None, "update")]
)
def test_other_version(tmp_path, model_file, version, remedy):
    message = refused(tmp_path, with_header(model_file.read_bytes(), version=version))
    assert f"version expected 2 to 4, got {version!r}" in message and remedy in message


def test_other_format(tmp_path, model_file):
    assert "'other'" in refused(tmp_path, with_header(model_file.read_bytes(), format="other"))


@pytest.mark.parametrize("model", [{}, {"terms": 3}, []])
def test_header_without_a_model(tmp_path, model_file, model):
    message = refused(tmp_path, with_header(model_file.read_bytes(), model=model))
    assert "model: expected " in message


def test_reference_energies_are_evaluated_again(potential, tmp_path):
    (atoms, energy), *rest = potential.references
    wrong = replace(potential, references=((atoms, energy + 1e-6), *rest))
    wrong.save(tmp_path / "wrong.gapy")
    with pytest.raises(ModelFileError, match="reference structure 0 expected"):
        gapy.load(tmp_path / "wrong.gapy")


# -- writing ------------------------------------------------------------------------------------


def test_full_disk_leaves_the_old_file(potential, tmp_path, monkeypatch):
    path = tmp_path / "model.gapy"
    path.write_bytes(b"old")

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GapyError, match=r"model.gapy: .*No space left on device"):
        potential.save(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_device_that_is_full(potential):
    with pytest.raises(GapyError, match="No space left on device"):
        potential.save("/dev/full")


def test_directory_that_does_not_exist(potential, tmp_path):
    with pytest.raises(GapyError, match="No such file or directory"):
        potential.save(tmp_path / "none" / "model.gapy")


def test_link_and_mode_are_kept(potential, tmp_path):
    target, link = tmp_path / "target.gapy", tmp_path / "link.gapy"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    potential.save(link)
    assert link.is_symlink() and target.stat().st_mode & 0o777 == 0o640
    assert gapy.load(link).evaluate(bulk("Cu", cubic=True)).energy is not None
