"""gap_fit and quippy: the same SOAP, kernel and number of sparse points as gapy's."""

from __future__ import annotations

import os
import shutil
from contextlib import chdir
from pathlib import Path

from ase.io import write
from threadpoolctl import threadpool_info

from peers.options import R_CUT, SIGMA_ENERGY, SIGMA_FORCES
from peers.processes import timed

AVX512 = {"Cooperlake", "SapphireRapids"}


def prefer_fast_blas() -> None:
    """Let quippy's BLAS use the kernels that numpy's has chosen; to be called before its import.

    The wheel's OpenBLAS is from 2021. On a processor that it does not know it takes kernels
    without AVX, which would be unfair.
    """
    import numpy  # noqa: F401  (its BLAS must be loaded)

    found = {
        lib.get("architecture") for lib in threadpool_info() if lib["internal_api"] == "openblas"
    }
    if found & AVX512:
        found = {"SkylakeX"}
    for kernel in found & {"SkylakeX", "Haswell", "Zen"}:
        os.environ.setdefault("OPENBLAS_CORETYPE", kernel)


def gap_fit_command() -> str | None:
    """Path of gap_fit: the one inside quippy, else one on the path."""
    prefer_fast_blas()
    try:
        import quippy
    except ImportError:
        return shutil.which("gap_fit")
    inside = Path(quippy.__path__[0], "gap_fit")
    return str(inside) if inside.exists() else shutil.which("gap_fit")


def gap_fit(frames, model: Path, *, size: int, n_sparse: int, forces: bool) -> dict:
    """Fit to energies, and forces if asked; wall and CPU seconds, peak GB of the process."""
    model.parent.mkdir(parents=True, exist_ok=True)
    data = model.with_suffix(".train.xyz")
    write(data, frames)
    soap = (
        f"soap l_max={size} n_max={size} atom_sigma=0.5 zeta=4 cutoff={R_CUT} "
        f"cutoff_transition_width=0.5 delta=1.0 n_sparse={n_sparse} "
        "covariance_type=dot_product sparse_method=cur_points"
    )
    command = [
        gap_fit_command(), f"at_file={data.name}", f"gap={{{soap}}}", "e0_method=average",
        f"default_sigma={{{SIGMA_ENERGY} {SIGMA_FORCES} 0.0 0.0}}",
        "energy_parameter_name=REF_energy",
        f"force_parameter_name={'REF_forces' if forces else 'no_forces'}",
        "virial_parameter_name=none", "stress_parameter_name=none",
        "sparse_jitter=1e-8", "do_copy_at_file=F", "sparse_separate_file=T",
        f"gp_file={model.name}",
    ]  # fmt: skip
    log = model.with_suffix(".log")
    figures = timed(command, log)
    if not model.exists():
        raise RuntimeError(f"gap_fit failed, see {log}")
    if "number of sparse points changed" in log.read_text():
        raise RuntimeError(f"gap_fit took fewer than {n_sparse} sparse points, see {log}")
    return {
        "seconds": figures["seconds"],
        "cpu_seconds": figures["cpu_seconds"],
        "memory_gb": figures["peak_gb"],
    }


def potential(options, frames):
    """quippy's potential from a gap_fit model of full size, made once in the work directory.

    It is fitted to energies only: a call costs what the basis and the sparse points cost.
    """
    prefer_fast_blas()
    from quippy.potential import Potential

    model = options.cached("gap") / "gap_si.xml"
    if not model.exists():
        gap_fit(frames, model, size=options.size, n_sparse=options.n_inducing, forces=False)
    with chdir(model.parent):  # the sparse points are in a file beside it
        # It would hand out the results of the last positions again, whatever else is asked for.
        return Potential(param_filename=model.name, calculation_always_required=True)
