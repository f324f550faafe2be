"""The compiled pair style: its cache, and what is said where it cannot be made."""

import os
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from gapy.engines.lammps import build
from gapy.engines.lammps.build import BuildError
from gapy.engines.lammps.session import attach

pytest.importorskip("lammps")
pytest.importorskip("mpi4py")


class Lmp:
    """What the build asks of a LAMMPS object, without one."""

    def __init__(self, version=20250722, tagint=4, bigint=8, lacks=()):
        self._lacks = lacks
        self._version, self._sizes = version, {"tagint": tagint, "bigint": bigint}

    def version(self):
        return self._version

    def has_package(self, name):
        return name not in self._lacks

    def extract_setting(self, name):
        return self._sizes[name]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GAPY_LAMMPS_HEADERS", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    return tmp_path / "cache" / "gapy" / "lammps"


def compiler(tmp_path, body: str):
    """A program in place of g++; `$out` is the file it is asked for."""
    path = tmp_path / "compiler"
    path.write_text(
        f'#!/bin/sh\nfor out in "$@"; do :; done\necho "$@" >> {tmp_path}/calls\n{body}\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_compiles_once_for_each_lammps_and_compiler(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", compiler(tmp_path, 'echo made > "$out"'))
    first = build.plugin(Lmp())
    assert first.parent == cache and first.read_text() == "made\n"
    assert build.plugin(Lmp()) == first
    assert len((tmp_path / "calls").read_text().splitlines()) == 1
    others = {build.plugin(Lmp(version=20260101)), build.plugin(Lmp(tagint=8))}
    assert len(others) == 2 and first not in others
    assert "-DLAMMPS_BIGBIG" in (tmp_path / "calls").read_text().splitlines()[-1]
    # Nothing half made stays behind.
    assert {p.name for p in cache.iterdir()} == {p.name for p in (first, *others)}


def test_another_source_is_another_plugin(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", compiler(tmp_path, 'echo made > "$out"'))
    first = build.plugin(Lmp())
    monkeypatch.setattr(build, "SOURCES", build.SOURCES[:3])
    assert build.plugin(Lmp()) != first


def test_two_at_once_compile_once(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", compiler(tmp_path, 'sleep 0.5; echo made > "$out"'))
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: build.plugin(Lmp()), range(4)))
    assert len(found) == 1 and len((tmp_path / "calls").read_text().splitlines()) == 1


def test_an_error_of_the_compiler_is_told_and_leaves_nothing(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", compiler(tmp_path, "echo no such thing >&2; exit 1"))
    with pytest.raises(BuildError, match=r"failed: no such thing; see docs/lammps\.md"):
        build.plugin(Lmp())
    assert list(cache.iterdir()) == []


def test_no_compiler(cache, monkeypatch):
    monkeypatch.setenv("CXX", "not-there")
    with pytest.raises(BuildError, match=r"not-there is not there; install g\+\+"):
        build.plugin(Lmp())


def test_no_headers(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(BuildError, match=r"MPI's header \(mpi\.h\).*GAPY_LAMMPS_HEADERS"):
        build.plugin(Lmp())


def test_headers_that_are_named(cache, tmp_path, monkeypatch):
    for name in ("pair.h", "mpi.h"):
        (tmp_path / name).write_text("")
    monkeypatch.setenv("GAPY_LAMMPS_HEADERS", str(tmp_path))
    assert build.installation(Lmp()).headers == (tmp_path,)


def test_other_integer_sizes_are_refused(cache):
    with pytest.raises(BuildError, match=r"got sizes \(4, 4\)"):
        build.plugin(Lmp(bigint=4))


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")
def test_the_sources_compile_without_a_warning(tmp_path):
    found = build.installation(Lmp())
    folder = build.SOURCE_FOLDER
    done = subprocess.run(
        ["g++", "-fsyntax-only", "-Wall", "-Wextra", "-std=c++17", f"-D{found.sizes}",
         *(f"-isystem{p}" for p in found.headers), *(str(folder / s) for s in build.SOURCES[:2])],
        capture_output=True, text=True, env=dict(os.environ),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_lammps_without_plugins_cannot_have_it():
    with pytest.raises(BuildError, match="package PLUGIN, this one has none"):
        attach(Lmp(lacks=("PLUGIN",)))
