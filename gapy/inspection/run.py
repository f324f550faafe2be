"""`inspect`: from structures to a report."""

from __future__ import annotations

import warnings
from dataclasses import replace

import ase.data
import numpy as np
from ase import Atoms

from gapy.descriptors import MagneticSOAP, as_descriptor, smooth_soap
from gapy.errors import GapyError, StructureError
from gapy.fit.regressor import SparseGPRegressor
from gapy.inspection import findings, summaries
from gapy.inspection.candidates import choose
from gapy.inspection.environments import describe, kernel_map, neighbourhood
from gapy.inspection.geometry import geometry
from gapy.inspection.influence import Influence, influence, was_fitted_to
from gapy.inspection.metric import Metric
from gapy.inspection.report import InspectionReport, KernelMap
from gapy.inspection.twins import find_twins
from gapy.md.settings import whole
from gapy.structures import (
    LabelKeys,
    LabelledStructure,
    StructureWarning,
    check_structures,
    expanded,
    from_atoms,
    input_files,
    is_isolated_atom,
    read_atoms,
    read_structures,
)
from gapy.structures.charge import charge_of, with_charge
from gapy.structures.spins import known_signs, ordered_elements, signs_of, with_signs

QUICK_POINTS = 200
"""Inducing points per element of the fit that is made if no model is given."""
TWIN_DISTANCE = 0.01
"""Kernel distance of twins: displacements of about 0.005 A (measured on Si and Mo)."""
ZETA = 4


def inspect(
    structures, *, potential=None, candidates=None, n_candidates=10, neighbour_cutoff=None,
    twin_distance=TWIN_DISTANCE, seed=0, threads=1, progress=False,
) -> InspectionReport:  # fmt: skip
    """Look at a data set: what it holds, repeats and lacks, and what does not fit.

    Arguments
    ---------
    structures : LabelledStructure or ase.Atoms, one or many; without any label only the
        geometry is looked at
    potential : gapy.Potential whose kernel, all terms together, is the measure of distance. If it
        was fitted to these structures, errors are those with each structure left out; else plain
        errors. By default a small model is fitted (200 inducing points per element).
    candidates : unlabelled ase.Atoms from which `n_candidates` are proposed for labelling
    neighbour_cutoff : A, for coordination numbers; default the first minimum of the pairs
    twin_distance : kernel distance up to which structures count as nearly equal
    seed : of every random choice

    Raises
    ------
    GapyError (or a subclass) : bad structures, labels or settings
    """
    if not 0.0 <= twin_distance < 1.0:
        raise GapyError(f"twin_distance: expected 0 up to 1, got {twin_distance}")
    seed = whole("seed", seed, least=0)
    structures = labelled_or_bare(structures)
    with warnings.catch_warnings():
        # Repeated structures are told below, by the sharper measure.
        warnings.simplefilter("ignore", StructureWarning)
        check_structures(structures, species=None if potential is None else potential.species)
    shape = geometry(structures, neighbour_cutoff)
    has_labels = any(s.energy is not None or s.forces is not None for s in structures)
    fit, effect, metric, e0 = _fit(
        structures, potential, shape.cutoff, has_labels, seed, threads, progress
    )
    frames = [s.atoms for s in structures]
    names = sorted({s.config_type for s in structures})
    group_s = np.array([names.index(s.config_type) for s in structures])
    alone = {k for k, s in enumerate(structures) if is_isolated_atom(s)}
    described = describe(metric, frames, group_s, seed)
    near = neighbourhood(metric, frames, group_s, described.samples, alone)
    data = summaries.Data(structures, shape, near, effect, e0)
    shortest = sorted(shape.shortest.items())
    report = InspectionReport(
        n_structures=len(structures),
        n_atoms=sum(len(a) for a in frames),
        labels={
            kind: sum(getattr(s, kind) is not None for s in structures)
            for kind in ("energy", "forces", "stress")
        },
        neighbour_cutoff=shape.cutoff,
        neighbour_cutoff_source=shape.cutoff_source,
        fit=fit,
        groups=summaries.by_group(data),
        elements=summaries.by_element(data),
        histograms=summaries.histograms(data),
        volume=shape.volume,
        novelty=np.array([_largest(d) for d in near.other_structure]),
        leverage=effect.leverage,
        energy_leverage=effect.energy_leverage,
        energy_error=effect.energy_error,
        force_error=effect.force_error,
        coordination=summaries.coordination(data),
        shortest={f"{_symbol(a)}-{_symbol(b)}": d for (a, b), d in shortest},
        force_max=summaries.largest_force(structures),
        maps=tuple(
            KernelMap(
                _symbol(z),
                xy,
                np.array(names)[sample.group_n[keep]],
                share,
                sample.structure_n[keep],
                sample.atom_n[keep],
            )
            for slot, (z, sample) in enumerate(zip(metric.species, described.samples))
            if len(sample.x_nd)
            for keep, xy, share in [kernel_map(sample, metric.kernel(slot), seed)]
        ),
        twins=tuple(find_twins(metric, structures, described.means, shape, twin_distance)),
        where=tuple(s.where for s in structures),
    )
    return _with_findings(
        report, structures, near, effect,
        choose(metric, described.samples, candidates, n_candidates),
    )  # fmt: skip


def _with_findings(report, structures, near, effect, chosen) -> InspectionReport:
    within = np.concatenate(near.other_structure)
    mean = float(np.nanmean(within)) if np.isfinite(within).any() else None
    report = replace(
        report,
        outliers=tuple(findings.outliers(structures, effect)),
        thin=findings.thin_groups(report, mean),
        uncovered=tuple(findings.gaps(report)),
    )
    return replace(report, suggestions=tuple(findings.suggestions(report, structures, chosen)))


def labelled_or_bare(structures) -> list[LabelledStructure]:
    """Labelled structures; where no frame holds anything like a label, structures without."""
    items = [structures] if isinstance(structures, Atoms | LabelledStructure) else list(structures)
    try:
        return from_atoms(items)
    except StructureError:
        if not items or not all(isinstance(a, Atoms) and is_bare(a) for a in items):
            raise
        return bare(items)


def read_labelled_or_bare(paths, keys) -> list[LabelledStructure]:
    """Read files as `read_structures` does; without anything like a label, the structures alone."""
    paths = expanded(paths)
    try:
        return read_structures(paths, keys)
    except StructureError:
        named = [file.name for file in input_files(paths)]
        if keys != LabelKeys():
            raise
        frames = [read_atoms(path) for path in paths]
        if not all(is_bare(a) for part in frames for a in part):
            raise
        return [s for name, part in zip(named, frames) for s in bare(part, name)]


def is_bare(atoms) -> bool:
    """Whether a frame holds nothing that could be an energy, forces or a stress."""
    words = ("energy", "force", "stress", "virial")
    names = [str(name).lower() for name in (*atoms.info, *atoms.arrays)]
    has_results = bool(getattr(atoms.calc, "results", None))
    return not has_results and not any(word in name for name in names for word in words)


def bare(frames, source="frames") -> list[LabelledStructure]:
    """Structures without labels."""
    return [
        LabelledStructure(
            with_signs(
                with_charge(Atoms(a.numbers, a.positions, cell=a.cell, pbc=a.pbc), charge_of(a)),
                known_signs(a),
            ),
            None, None, None,
            str(a.info.get("config_type", "default")), None, None, None, source, k,
        )
        for k, a in enumerate(frames)
    ]  # fmt: skip


def _fit(structures, potential, cutoff, has_labels, seed, threads, progress):
    """(what was fitted, influence, metric, e0)."""
    none = Influence(*np.full((4, len(structures)), np.nan), left_out=False)
    if potential is not None:
        metric = Metric.of(potential.terms)
        if not has_labels:
            return "no labels, no errors", none, metric, potential.e0
        own = was_fitted_to(potential, structures)
        text = "the given model, each structure left out in turn"
        if not own:
            text = "the given model, which was fitted to other data: plain errors, no leverage"
        effect = influence(potential, structures, left_out=own, progress=progress)
        return text, effect, metric, potential.e0
    species = sorted({int(z) for s in structures for z in s.atoms.numbers})
    descriptor = _quick_descriptor(species, cutoff, [s.atoms for s in structures])
    metric = Metric.of_one(descriptor, ZETA)
    if not has_labels:
        return "no labels, no errors", none, metric, {}
    gp = SparseGPRegressor(
        descriptor, n_inducing=QUICK_POINTS, zeta=ZETA, seed=seed, threads=threads,
        progress=progress,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StructureWarning)
        gp.fit(structures)
    text = f"quick fit with {QUICK_POINTS} inducing points per element, each structure left out"
    effect = influence(gp.potential_, structures, left_out=True, progress=progress)
    return text, effect, metric, gp.e0_


def _quick_descriptor(species, cutoff, frames):
    """A small SOAP that sees the second shell, and orders of moments where all frames say them."""
    soap, magnetic = _quick_soap(species, cutoff), ordered_elements(frames)
    if magnetic and all(signs_of(atoms) is not None for atoms in frames):
        return MagneticSOAP(soap, magnetic)
    return as_descriptor(soap)


def _quick_soap(species, cutoff):
    r_cut = float(np.clip(1.6 * cutoff, 3.5, 5.0))
    if len(species) == 1:
        return smooth_soap(species, r_cut=r_cut, n_max=6, l_max=6)
    return smooth_soap(species, r_cut=r_cut, n_max=5, l_max=4, compression={"mode": "mu1nu1"})


def _largest(distances: np.ndarray) -> float:
    known = distances[np.isfinite(distances)]
    return float(known.max()) if len(known) else np.nan


def _symbol(z: int) -> str:
    return ase.data.chemical_symbols[z]
