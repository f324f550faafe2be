"""A potential on plain arrays: atomic numbers and pairs in, energies, forces and sigmas out.

No ASE object passes here: any program that has pairs can call it (docs/arrays.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np

from gapy.baselines import Contribution, System, forces_on_centres, total
from gapy.error_bars.calibration import SAMPLES, Indicators
from gapy.errors import GapyError, StructureError
from gapy.geometry.pairs import Pairs
from gapy.gp.neighbourhood import Neighbourhood, largest_cutoff, worst_around
from gapy.model import engine
from gapy.model.pair_table import local_variances, summed

N_INDICATORS, N_DEVIATIONS = 4, 3 * SAMPLES
"""Columns of what an evaluation hands out for the force sigma."""


@dataclass(frozen=True)
class Evaluation:
    """Energies in eV, forces (n, 3) eV/A, virial dE/d(strain) (3, 3) eV.

    energies_std (n,) eV: posterior sigma of the local energies; forces_std (n,) eV/A: calibrated
    sigma of a force component of each atom; energy_std: calibrated sigma of the energy, None of a
    model that does not know it; indicators (n, 4) and, where posterior samples are
    drawn, deviations (n, 3 k) eV/A of the forces of the k samples from these: what
    `Potential.force_std` takes. None unless asked for. baseline_forces (n, 3) eV/A: the baselines'
    share of the forces, None without baselines. Atoms that are not centres have forces, and their
    deviations, only.
    """

    energy: float
    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    energies_std: np.ndarray | None = None
    forces_std: np.ndarray | None = None
    energy_std: float | None = None
    indicators: np.ndarray | None = None
    baseline_forces: np.ndarray | None = None
    deviations: np.ndarray | None = None


class Parts(NamedTuple):
    """What an Evaluation is made of, before its energy is summed.

    Of several structures: virial (m, 3, 3), energy_std (m,), all else of their atoms one after the
    other.
    """

    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    energies_std: np.ndarray | None
    forces_std: np.ndarray | None
    energy_std: Any = None
    indicators: np.ndarray | None = None
    baseline_forces: np.ndarray | None = None
    deviations: np.ndarray | None = None


def evaluate(
    potential, numbers, found: Neighbourhood, free_atoms, system: System | None = None, **options
) -> Evaluation:
    """See `Potential.evaluate_arrays`; free_atoms (n,): energies of the free atoms, eV.

    system: what the potential's baselines see; unless given, numbers and pairs alone.
    """
    base = None
    if potential.baselines:
        base = total(potential.baselines, system or System(numbers, found.pairs))
    out = parts(potential, numbers, found, free_atoms, base, **options)
    energy = float(np.add.reduce(out.energies))
    return Evaluation(energy if base is None else energy + base.shared, *out)


def parts(
    potential,
    numbers,
    found: Neighbourhood,
    free_atoms,
    base: Contribution | None = None,
    *,
    first_m=None,
    local_std=False,
    force_std: bool | str = False,
    indicators: bool | str = False,
    threads=1,
) -> Parts:
    """Of one structure, or of those that `first_m` divides the atoms into (see `engine.evaluate`).

    base: what the potential's baselines add, with a virial for each structure.
    """
    samples = potential.draws_samples(force_std)
    hands_out = potential.draws_samples(indicators, "indicators")
    pairs, envs = found
    n = len(numbers)
    if len(pairs) < n:
        if force_std:
            raise GapyError(
                f"force_std: expected all {n} atoms to be centres, got {len(pairs)}; ask for "
                "indicators=True, fill in those of the ghosts and call Potential.force_std"
            )
        only, free_atoms = free_atoms, np.zeros(n)
        free_atoms[pairs.centre_i] = only[pairs.centre_i]
    gathers = force_std or indicators
    blocks = None
    if gathers or (local_std and not potential.pair_tables):
        blocks = potential.indicator_blocks if gathers else potential.variance_blocks
    sizes = {"first_m": first_m, "threads": threads}
    out = engine.evaluate(potential.energy_blocks, envs, n, blocks, **sizes)
    if potential.pair_tables:
        added = summed(potential.pair_tables, numbers, pairs, first_m)
        out = out._replace(
            energies=out.energies + added.energies,
            forces=out.forces + added.forces,
            virial=out.virial + added.virial,
        )
    energies, forces, virial = out.energies + free_atoms, out.forces, out.virial
    if base is not None:
        energies = energies + base.energies
        forces, virial = forces + base.forces, virial + base.virial
    own, deviations, sigma, variances = None, None, None, out.variances
    energy_std = None
    if samples or hands_out:
        deviations = potential.samples.force_deviations(found, numbers, threads=threads)
    if gathers:
        asked_for = (out.first, out.distances, out.variances, out.excess)
        first, distances, local, excess = cast("tuple[np.ndarray, ...]", asked_for)
        own = np.stack([first, distances, local, np.log1p(excess) ** 2], axis=1)
        if force_std:
            sigma = force_sigma(
                potential, own, numbers, pairs, out.forces, deviations if samples else None
            )
            energy_std = energy_sigma(potential.calibration, local, first_m)
        if local_std and not potential.pair_tables:
            variances = engine.evaluate(
                potential.energy_blocks, envs, n, potential.variance_blocks, **sizes
            ).variances
    if local_std and potential.pair_tables:
        variances = local_variances(potential, numbers, envs)
    return Parts(
        energies,
        forces,
        virial,
        None if variances is None else np.sqrt(variances),
        sigma,
        energy_std,
        own if indicators else None,
        None if base is None else base.forces,
        deviations if hands_out else None,
    )


def gathered(potential, own, numbers, pairs: Pairs, forces) -> Indicators:
    """What the force sigma follows: the worst of `own` (n, 4) around every centre.

    forces (n, 3) eV/A: without what the baselines give, which has no error bar.
    """
    around = worst_around(pairs, own, largest_cutoff(potential.terms))
    first, distances, variances, beyond = np.ascontiguousarray(around.T)
    if potential.contacts is not None:
        beyond += potential.contacts.beyond(pairs, numbers)
    squared = np.einsum("nc,nc->n", forces, forces)
    return Indicators(first, distances, variances, squared, beyond)


def energy_sigma(calibration, variances: np.ndarray, first_m=None):
    """Calibrated sigma of the energy, eV, (m,) of several structures; None where it is not known.

    variances (n,): posterior, of the local energies, eV^2.
    """
    if calibration.energy is None:
        return None
    if first_m is None:
        return float(calibration.energy.sigma(variances.mean(), len(variances)))
    n_m = np.diff(first_m)
    return calibration.energy.sigma(np.add.reduceat(variances, first_m[:-1]) / n_m, n_m)


def forces_of_baselines(baselines, numbers, pairs) -> np.ndarray:
    """On the centres, (n, 3) eV/A. Raises GapyError for baselines that are no sums over pairs."""
    other = [b.kind for b in baselines if not b.pairwise]
    if other:
        raise GapyError(
            f"baseline_forces: expected an array (n, 3), since {', '.join(other)} is no sum over "
            "pairs, got None; give those of evaluate_arrays, added up as the forces are"
        )
    return forces_on_centres(baselines, numbers, pairs)


def force_sigma(potential, own, numbers, pairs: Pairs, forces, deviations=None) -> np.ndarray:
    """Calibrated force sigma (n,) eV/A of every centre, 0 of other atoms; see `force_std`.

    With the deviations (n, 3 k) of samples, eV/A, sigma follows their mean square.
    """
    indicators = gathered(potential, own, numbers, pairs, forces)
    if deviations is None:
        sigma = potential.calibration.sigma(indicators)
    else:
        spread = np.einsum("nv,nv->n", deviations, deviations) / deviations.shape[1]
        sigma = potential.calibration.posterior.sigma(indicators._replace(spread=spread))
    if len(pairs) < len(numbers):
        only, sigma = sigma, np.zeros(len(numbers))
        sigma[pairs.centre_i] = only[pairs.centre_i]
    return sigma


def atomic_numbers(numbers) -> np.ndarray:
    """As an array (n,) of integers, or StructureError."""
    found = np.asarray(numbers)
    if found.ndim != 1 or not (np.issubdtype(found.dtype, np.integer) or not found.size):
        raise StructureError(
            f"numbers: expected atomic numbers (n,) as integers, got shape {found.shape}, type "
            f"{found.dtype}; give one for each atom, ghosts included"
        )
    return np.ascontiguousarray(found, dtype=np.int64)


def checked_pairs(pairs: Pairs, n_atoms: int, cutoff: float) -> Pairs:
    """Pairs of n atoms as `Pairs.checked` gives them, or StructureError for a list too short."""
    if not pairs.cutoff >= cutoff:
        raise StructureError(
            f"pairs: expected all that are shorter than {cutoff:.4f} A, the potential's "
            f"pairs_cutoff, got a list of cutoff {pairs.cutoff:.4f} A; search with that cutoff"
        )
    return pairs.checked(n_atoms)


def rows_of_atoms(name: str, array, n_atoms: int, width: int) -> np.ndarray:
    """`array` as (n, width) floats, or StructureError that names it."""
    found = np.ascontiguousarray(array, dtype=float)
    if found.shape != (n_atoms, width):
        raise StructureError(
            f"{name}: expected an array ({n_atoms}, {width}), a row for each atom, ghosts "
            f"included, got {found.shape}; give those of all listed atoms"
        )
    return found


def refuse_without_samples(potential) -> None:
    """Raise GapyError if no force sigma of the potential follows posterior samples."""
    if potential.calibration.posterior is None:
        raise GapyError(
            "deviations: expected None, since posterior samples rank the left-out errors of this "
            "potential no better than the cheap indicators; leave them out"
        )


def refuse_without_neighbours(terms) -> None:
    """Raise GapyError if a descriptor cannot be evaluated from a pair list."""
    for term in terms:
        if not term.descriptor.takes_neighbours:
            raise GapyError(
                f"evaluate_arrays: expected descriptors that work from neighbours (SOAP), the "
                f"potential has {term.descriptor.kind}, which dscribe evaluates on whole "
                "structures; use Potential.evaluate or fit with a SOAP"
            )
