"""Kernels are kept on disk where that is possible, and compile without a cache elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core import caching

import gapy
from gapy._jit import settings
from gapy._jit.pairs import pair_vectors


def test_kernels_are_cached_here():
    assert pair_vectors._cache.cache_path is not None


def test_without_a_writable_place_kernels_compile_with_one_warning(monkeypatch):
    """What a read-only package and home look like to numba: no place is suitable."""
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    monkeypatch.setattr(settings._Warned, "yet", False)

    def double(x):
        return 2.0 * x

    def triple(x):
        return 3.0 * x

    with pytest.warns(UserWarning, match="NUMBA_CACHE_DIR") as caught:
        kernels = [settings.njit(cache=True, nogil=True)(f) for f in (double, triple)]
    assert len(caught) == 1
    assert [k(np.float64(2.0)) for k in kernels] == [4.0, 6.0]


def test_other_errors_of_numba_are_not_hidden(monkeypatch):
    def broken(self, py_func):
        raise RuntimeError("something else")

    monkeypatch.setattr(caching.CacheImpl, "__init__", broken)
    with pytest.raises(RuntimeError, match="something else"):
        settings.njit(cache=True)(lambda x: x)


def test_every_kernel_uses_the_decorator_with_the_fallback():
    folder = Path(gapy.__file__).parent / "_jit"
    for path in folder.glob("*.py"):
        if path.name != "settings.py":
            assert "from numba import njit" not in path.read_text(), path.name


KERNEL = """
import sys
from gapy._jit import settings

if len(sys.argv) > 1:
    settings.SOURCES += (sys.argv[1],)

@settings.njit(cache=True)
def double(x):
    return 2.0 * x

double(1.0)
print(sum(double.stats.cache_hits.values()))
"""


def test_a_change_of_any_file_of_kernels_makes_all_compiled_code_stale(tmp_path):
    (tmp_path / "kernel.py").write_text(KERNEL)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept")}

    def hits(*arguments) -> int:
        command = [sys.executable, tmp_path / "kernel.py", *arguments]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert [hits(), hits(), hits("another"), hits("another")] == [0, 1, 0, 1]


def test_all_files_of_kernels_count():
    folder = Path(settings.__file__).parent
    assert [name for name, _, _ in settings.SOURCES] == sorted(p.name for p in folder.glob("*.py"))
