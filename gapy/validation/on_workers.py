"""Errors on the structures of many files, read and evaluated in parts by Dask workers."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from functools import reduce
from operator import or_

from gapy._support.progress import counted
from gapy.descriptors import magnetic_elements
from gapy.distributed.cluster import RETRIES, cluster_client, held
from gapy.distributed.parts import Part, files_of, parts_among
from gapy.fit.estimate import ATOMS_OF_A_PART
from gapy.structures import (
    Found,
    LabelKeys,
    StructureWarning,
    check_structures,
    read_part,
    require_found,
)
from gapy.validation.comparison import Comparison, compare, joined
from gapy.validation.evaluation import EvaluationReport, check_threshold, report_of


def evaluate_files(
    potential,
    sources,
    *,
    client=None,
    workers: int | None = None,
    scheduler: str | None = None,
    keys: LabelKeys | None = None,
    error_threshold: float | None = None,
    atoms_per_part: int = ATOMS_OF_A_PART,
    progress: bool = False,
) -> EvaluationReport:
    """`gapy.validation.evaluation.evaluate` of the structures of files, in parts.

    The same report to rounding, samples in the order of files and frames. A worker holds one part;
    here are kept labels and predictions only, some 150 bytes for each atom with forces. `seconds`
    is the wall time of all of it, reading included.

    Arguments
    ---------
    potential : gapy.Potential
    sources : names, patterns or directories of files, which every worker can read
    client, workers, scheduler, atoms_per_part, progress : as in `gapy.distributed.fit`
    keys, error_threshold : as in `read_structures` and `evaluate`

    Raises
    ------
    GapyError and its subclasses : as these do, naming file and frame; without Dask; workers that
        are lost again and again
    """
    check_threshold(error_threshold)
    began = time.perf_counter()
    keys = LabelKeys() if keys is None else keys
    results, everywhere, messages = [], [], []
    with cluster_client(client, workers, scheduler) as cluster:
        parts = parts_among(cluster, files_of(sources), int(atoms_per_part))
        model = held(cluster, potential)
        with counted("evaluating", len(parts), progress) as counter:
            futures = [
                cluster.submit(_of_part, model, part, keys, pure=False, retries=RETRIES)
                for part in parts
            ][::-1]
            while futures:
                # In the order of the parts; the cluster forgets what is here.
                compared, where, told = futures.pop().result()
                results.append(compared)
                messages += told
                everywhere.append(where)
                counter.add()
    require_found(reduce(or_, everywhere), keys)
    for message in dict.fromkeys(messages):
        warnings.warn(message, StructureWarning, stacklevel=2)
    report = report_of(potential, joined(results), error_threshold)
    return replace(report, seconds=time.perf_counter() - began)


def _of_part(potential, part: Part, keys: LabelKeys) -> tuple[Comparison, Found, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StructureWarning)
        structures, found = read_part(*part, keys)
        magnetic = magnetic_elements([t.descriptor for t in potential.terms])
        check_structures(structures, species=potential.species, magnetic=magnetic)
        compared = compare(potential, structures)
    told = [str(w.message) for w in caught if issubclass(w.category, StructureWarning)]
    return compared, found, told
