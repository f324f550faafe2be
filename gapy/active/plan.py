"""What a loop would do, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator

from gapy.active.config import LoopConfig


def plan(config: LoopConfig) -> Iterator[str]:
    """Lines for `gapy learn --dry-run`; nothing is computed, the calculator is made once.

    Raises
    ------
    OracleError : the calculator cannot be made
    """
    config.oracle.check()
    yield f"directory: {config.directory}"
    oracle = config.oracle
    described = json.loads(oracle.settings)
    limit = "no time limit" if oracle.timeout is None else f"at most {oracle.timeout:g} s each"
    at_once = f"{oracle.workers or 1} at a time"
    if oracle.scheduler is not None:
        share = f"{oracle.workers} at a time" if oracle.workers else "one on each of its workers"
        at_once = f"{share}, on the cluster at {oracle.scheduler}"
    yield f"oracle: {described['calculator']}, {at_once}, {limit}"
    for name, value in described["arguments"].items():
        yield f"  {name} = {value}"
    for explorer in config.explorers:
        yield f"explore: {explorer.plan()}"
    if config.training:
        yield f"begin with: {len(config.training)} labelled structures"
    else:
        starts = [(str(k), e.start) for k, e in enumerate(config.explorers)]
        count = len(config.initial.requests(starts, config.seed))
        yield f"begin with: {count} structures to label (starts and distorted copies)"
    p = config.policy
    yield (
        f"label: above {p.max_force_std:g} eV/A, at most {p.batch} per update, every "
        f"{p.min_interval} steps of a walker; back to the start above {p.abandon_force_std:g} eV/A"
    )
    budget, stop = config.budget, config.stop
    ends = ["all explorers have finished"]
    if stop.quiet_ps:
        ends.append(f"no flag in the last {stop.quiet_ps:g} ps")
    if stop.quiet_steps:
        ends.append(f"no flag in the last {stop.quiet_steps} steps")
    if budget.labels:
        ends.append(f"{budget.labels} labels")
    if budget.hours:
        ends.append(f"{budget.hours:g} h of wall time")
    yield f"stop: {', or '.join(ends)}"
    steps = [e.total_steps() for e in config.explorers]
    if None not in steps:
        yield f"at most {sum(steps)} steps of {len(steps)} walkers"
    yield f"model: {json.dumps(config.model.describe())}"
    if config.test:
        yield f"test: {len(config.test)} structures, every {config.test_every} labels"
