"""A fit whose structures no process holds all of: parts on workers, training states in a tree."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence

from gapy._support.progress import Counter, counted
from gapy._support.threads import blas_threads
from gapy.baselines import AUTOMATIC, Baseline, isolated_atom_energies, made_for
from gapy.descriptors import known_species
from gapy.descriptors.soap import warn_if_rough
from gapy.distributed.charges import few_among, few_of
from gapy.distributed.cluster import RETRIES, cluster_client, held
from gapy.distributed.parts import Part, files_of, parts_among
from gapy.distributed.points import best_of, points_of
from gapy.distributed.summary import WARNINGS, Summary, joined, summary_of
from gapy.distributed.tree import reduced
from gapy.errors import GapyError
from gapy.fit.beginning import empty_state, reach_of, term_of, with_components
from gapy.fit.charge_scale import learns, with_scales
from gapy.fit.checks import labelled, warn_of_moments
from gapy.fit.estimate import ATOMS_OF_A_PART
from gapy.fit.parameter_checks import check_overrides_among, check_settings
from gapy.fit.regressor import SparseGPRegressor
from gapy.fit.sample import SampleRows
from gapy.fit.training import TrainingState, absorb, merge
from gapy.gp.frames import Frames
from gapy.structures import LabelKeys, StructureWarning, read_part, require_found


def fit(
    sources,
    regressor: SparseGPRegressor | Callable[[Summary], SparseGPRegressor],
    *,
    client=None,
    workers: int | None = None,
    scheduler: str | None = None,
    atoms_per_part: int = ATOMS_OF_A_PART,
    keys: LabelKeys | None = None,
    seed: int = 0,
    baselines: Sequence[Baseline | str] = (),
    progress: bool = False,
) -> SparseGPRegressor:
    """Fit to the structures of files, read and worked on in parts by the workers of a Dask cluster.

    Every part becomes a `gapy.fit.training.TrainingState`, and a tree that depends on the parts
    alone merges them, so that the result is the same to the last bit for any number of workers
    and any order in which they finish. It equals a fit in one process with the same inducing
    points to rounding (1e-8 eV/A). Components, the metric of the environments and what the fit
    chooses from the data come from a sample of the structures, inducing points from all of them, in
    levels: those of each part, then the best of two sets.

    Arguments
    ---------
    sources : names, patterns or directories of files, which every worker can read
    regressor : what `SparseGPRegressor.fit` would be called on; or a function that makes it from
        the `Summary` of the data
    client : a `distributed.Client`; unless given, one is made: for a scheduler's address, or with
        so many workers of one thread on this machine, 1 unless given
    atoms_per_part : about how many atoms are worked on at a time
    keys, seed, baselines : of the labels, of the sample that a function sees, and of the regressor
        that it makes; of a regressor its own
    progress : show progress bars

    Returns the fitted regressor. Raises GapyError and its subclasses as `SparseGPRegressor.fit`
    does, naming file and frame; also where Dask is not installed, or workers are lost again and
    again.
    """
    began = time.perf_counter()
    if keys is None:
        if not isinstance(regressor, SparseGPRegressor):
            raise GapyError("keys: expected LabelKeys beside a function, got None; give them")
        keys = regressor.label_keys()
    with cluster_client(client, workers, scheduler) as client:
        parts = parts_among(client, files_of(sources), int(atoms_per_part))
        seed = int(getattr(regressor, "seed", seed))
        # The automatic ZBL is zero on all the data.
        asked = [b for b in getattr(regressor, "baselines", baselines) if b != AUTOMATIC]

        def summary_without(known, description: str) -> Summary:
            return _together(
                client, summary_of, [(part, keys, known, seed) for part in parts], joined, (),
                description, progress,
            )  # fmt: skip

        summary = summary_without([b for b in asked if not learns(b)], "reading")
        require_found(summary.found, keys)
        for message in _abridged(summary.messages):
            warnings.warn(message, StructureWarning, stacklevel=2)
        if not isinstance(regressor, SparseGPRegressor):
            regressor = regressor(summary)
            if [b for b in regressor.baselines if b != AUTOMATIC] != asked:
                raise GapyError(
                    "baselines: expected those of the regressor that the function makes, "
                    f"{list(regressor.baselines)}, since e0 is found before it is called, got "
                    f"{list(baselines)}; give them to fit too"
                )
        known = list(regressor.baselines)
        if any(map(learns, asked)):
            few = _together(
                client, few_of, [(part, keys, seed) for part in parts], few_among, (seed,),
                "charges", progress,
            )  # fmt: skip
            scaled = with_scales(regressor, asked, [*few.sample, *few.alone])
            known = [b if b == AUTOMATIC else scaled[asked.index(b)] for b in known]
            # Again, for what e0 is found from.
            summary = summary_without(scaled, "reading again")
        start = _started(client, regressor, known, summary, parts, keys, progress)
        total = _together(
            client, _absorbed, [(part, keys, start) for part in parts], merge, (), "rows",
            progress,
        )  # fmt: skip
    state = regressor.solved(total, SampleRows(), learnt=regressor.optimize)
    return regressor.adopt(state, time.perf_counter() - began)


def _together(client, work, arguments, join, more, description: str, progress: bool):
    """What `join` makes of the results of all parts, up a fixed tree."""
    with counted(description, len(arguments), progress) as counter:
        leaves = []
        for given in arguments:
            leaves.append(client.submit(work, *given, pure=False, retries=RETRIES))
            _count(leaves[-1], counter)
        root = reduced(client, leaves, join, *more)
        # From here on the cluster may forget what is in a sum.
        del leaves
        return root.result()


def _count(future, counter: Counter) -> None:
    future.add_done_callback(lambda done: counter.add() if done.status == "finished" else None)


def _started(client, regressor, known, summary: Summary, parts, keys: LabelKeys, progress: bool):
    """A future of the state before any labels; known: the baselines, scales in them."""
    check_settings(regressor)
    noise, terms = regressor.initial_noise(), regressor.term_settings()
    check_overrides_among(noise.overrides, summary.fitted_kinds(regressor.fit_stress))
    typical = summary.typical
    for term in terms:
        warn_if_rough(term.descriptor)
    # All species are among these; periodic structures are found again where they are absorbed.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StructureWarning)  # said of all structures already
        labelled(typical, keys, [t.descriptor for t in terms])
    seed = int(regressor.seed)
    frames = Frames([s.atoms for s in typical], terms)
    with blas_threads(1):
        terms, frames = with_components(terms, frames, seed)
        reach = reach_of(frames, terms)
        e0 = isolated_atom_energies(summary.compositions, regressor.e0)
    points = _together(
        client, points_of, [(part, k, keys, terms, seed) for k, part in enumerate(parts)], best_of,
        (terms, seed), "points", progress,
    )  # fmt: skip
    chosen = [term_of(term, of) for term, of in zip(terms, points)]
    species = known_species([t.descriptor for t in terms])
    baselines = made_for(known, species, lambda: summary.closest)
    warn_of_moments(baselines, typical)
    start = empty_state(chosen, e0, noise, regressor, reach, baselines)
    return held(client, start)


def _abridged(messages: Sequence[str]) -> list[str]:
    shown = list(messages[:WARNINGS])
    if len(messages) > WARNINGS:
        shown[-1] += f" (and {len(messages) - WARNINGS} more warnings of other parts)"
    return shown


def _absorbed(part: Part, keys: LabelKeys, start: TrainingState) -> TrainingState:
    """The labels of a part."""
    return absorb(start, read_part(*part, keys)[0])
