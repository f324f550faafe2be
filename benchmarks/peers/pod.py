"""POD of LAMMPS, fitted by its command `fitpod`.

Nguyen and Rohskopf, J. Comput. Phys. 480, 112030 (2023); Nguyen and Sema, Phys. Rev. B 109,
144307 (2024). The cutoff and the weight of the energies are chosen on a fifth of the training
structures, left out.
"""

from __future__ import annotations

from peers import lammps_box, mlearn
from peers.processes import script, timed

MODELS = {
    # radial functions and angular degree of 2, 3, 4, 5, 6, 7 bodies
    "POD, 4-body": ((8,), (6, 5), (4, 3), (0, 0), (0, 0), (0, 0)),
    "POD, 7-body": ((10,), (8, 6), (6, 4), (5, 3), (4, 2), (3, 2)),
}
BODIES = ("threebody", "fourbody", "fivebody", "sixbody", "sevenbody")
CANDIDATES = [(r_cut, weight) for r_cut in (4.2, 4.6, 5.0) for weight in (10.0, 100.0)]
"""Cutoffs (A) and weights of the energies, that of forces being 1; 100 is the default."""


def fit(options, name: str, folder) -> dict:
    """Choose, fit to all, keep the files, test with `pair_style pod`."""
    frames, test = mlearn.train(options), mlearn.test(options)
    kept, out = mlearn.split(frames)
    search = 0.0

    def errors_of(candidate):
        nonlocal search
        potential, figures = _fitted(folder, kept, MODELS[name], *candidate)
        search += figures["cpu_seconds"]
        return mlearn.errors(out, *lammps_box.predictions(lammps_box.start(), out, potential))

    (r_cut, weight), _ = mlearn.choose(CANDIDATES[:1] if options.quick else CANDIDATES, errors_of)
    potential, figures = _fitted(folder, frames, MODELS[name], r_cut, weight)
    lammps_box.keep(folder, potential)
    return {
        **mlearn.errors(test, *lammps_box.predictions(lammps_box.start(), test, potential)),
        **figures,
        "search_seconds": search,
        "note": f"cutoff {r_cut} A, energy weight {weight:g}",
    }


def call(options, name: str, folder, atoms):
    """A step of LAMMPS."""
    return lammps_box.kept_step(folder, atoms)


def _fitted(folder, frames, size, r_cut: float, weight: float) -> tuple[list[str], dict]:
    """Fit in a process of its own; the commands of the pair style and what the fit took.

    A second `fitpod` in one process asks for a negative amount of memory (22 July 2025).
    """
    data = folder / "train"
    data.mkdir(exist_ok=True)
    (data / "Si.xyz").write_text(_extended_xyz(frames))
    param, files = folder / "param.pod", folder / "data.pod"
    param.write_text("\n".join(_parameters(size, r_cut)) + "\n")
    files.write_text(
        f'file_format extxyz\nfile_extension xyz\npath_to_training_data_set "{data}"\n'
        f"fitting_weight_energy {weight}\nfitting_weight_force 1.0\n"
        f"basename_for_output_files {folder}/Si\nprecision_for_pod_coefficients 15\n"
    )
    found = folder / "Si_coefficients.pod"
    found.unlink(missing_ok=True)
    lines = folder / "fit.in"
    lines.write_text(f"fitpod {param} {files}\n")
    figures = timed([script("lmp"), "-in", str(lines), "-log", "none"], folder / "log")
    if not found.exists():
        raise RuntimeError(f"fitpod left no {found}")
    return ["pair_style pod", f"pair_coeff * * {param} {found} Si"], figures


def _parameters(size, r_cut: float) -> list[str]:
    (two,), *more = size
    return [
        "species Si", "pbc 1 1 1", "rin 0.8", f"rcut {r_cut}", "bessel_polynomial_degree 4",
        "inverse_polynomial_degree 8", "onebody 1",
        f"twobody_number_radial_basis_functions {two}",
        *(f"{body}_number_radial_basis_functions {n}" for body, (n, _) in zip(BODIES, more)),
        *(f"{body}_angular_degree {degree}" for body, (_, degree) in zip(BODIES, more)),
    ]  # fmt: skip


def _extended_xyz(frames) -> str:
    """The dialect that fitpod reads: its keys, and lower triangular cells."""
    lines = []
    for atoms in frames:
        cell, rotation = atoms.cell.standard_form()
        table = zip(
            atoms.symbols,
            atoms.get_scaled_positions(wrap=True) @ cell,
            atoms.arrays["REF_forces"] @ rotation.T,
        )
        lattice = " ".join(f"{x:.12f}" for x in cell.ravel())
        lines += [
            f"{len(atoms)}",
            f'Lattice="{lattice}" energy={atoms.info["REF_energy"]:.10f} pbc="T T T" '
            "Properties=species:S:1:pos:R:3:forces:R:3",
            *(f"{s} " + " ".join(f"{v:.12f}" for v in (*r, *f)) for s, r, f in table),
        ]
    return "\n".join(lines) + "\n"
