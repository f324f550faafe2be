"""`gapy predict`: energies, forces and stresses of structures, with error bars, in a file."""

from __future__ import annotations

from typing import Annotated

import typer

from gapy.cli.options import Threads, Trust, require_threads


def predict(
    model: Annotated[str, typer.Argument(help="Model file.")],
    files: Annotated[list[str], typer.Argument(help="Structures; labels are not needed.")],
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="OUT.xyz", help="Write the structures as extxyz."),
    ],
    sigma: Annotated[
        bool, typer.Option(help="Write forces_std (eV/A) and energy_std (eV) as well.")
    ] = True,
    trust: Trust = False,
    threads: Threads = 1,
) -> None:
    """Write energy, forces and stress of every structure, and their error bars, as extxyz.

    For example: gapy predict si.gapy pool.xyz -o predicted.xyz
    """
    import numpy as np
    from ase.calculators.singlepoint import SinglePointCalculator

    from gapy._support.files import write_whole
    from gapy._support.outputs import STRUCTURES, output_file, require_outputs
    from gapy._support.voigt import has_volume, stress_of
    from gapy.cli.bare_structures import require_known
    from gapy.model.loading import load
    from gapy.structures import expanded, input_files, read_atoms
    from gapy.structures.writing import as_extxyz

    require_threads(threads)
    require_outputs(output_file("output", output, STRUCTURES), [model, *input_files(files)])
    potential = load(model, trust=trust)
    frames = []
    for path in expanded(files):
        found = read_atoms(path)
        require_known(found, path, potential)
        frames += found
    largest = 0.0
    for atoms, e in zip(frames, potential.evaluate_many(frames, sigma, threads=threads)):
        results = {"energy": e.energy, "free_energy": e.energy, "forces": e.forces}
        if has_volume(atoms):
            results["stress"] = stress_of(e.virial, atoms)
        if e.forces_std is not None:
            results["forces_std"] = np.repeat(e.forces_std[:, None], 3, axis=1)
            largest = max(largest, float(e.forces_std.max(initial=0.0)))
        if e.energy_std is not None:
            results["energy_std"] = e.energy_std
        atoms.calc = SinglePointCalculator(atoms, **results)
    write_whole(output, as_extxyz(frames))
    print(f"{len(frames)} structures, {sum(map(len, frames))} atoms in {output}")
    if sigma:
        known = potential.calculator(uncertainty=True).largest_force_std
        beside = "" if known is None else f"; in the training set {known:.3g} eV/A"
        print(f"largest force sigma {largest:.3g} eV/A{beside}")
