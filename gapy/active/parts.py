"""What a loop is made of: who works in it, what it is given, how long it goes on, how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gapy.active.initial import Initial
from gapy.active.oracle import Oracle
from gapy.active.policy import Budget, Policy, Stop
from gapy.active.store import Store
from gapy.active.walkers import Tally, Walker
from gapy.structures import LabelledStructure


@dataclass(frozen=True, eq=False)
class Parts:
    """Who explores, labels, decides, learns and remembers.

    model: an object with the methods of `gapy.active.Model`.
    """

    walkers: Sequence[Walker]
    oracle: Oracle
    policy: Policy
    model: Any
    store: Store


@dataclass(frozen=True, eq=False)
class Given:
    """Structures that a loop begins with, or the rule for its first requests; those of the
    learning curve; the seed of every random number."""

    training: Sequence[LabelledStructure]
    initial: Initial
    test: Sequence[LabelledStructure]
    seed: int


@dataclass(frozen=True)
class Schedule:
    """When a loop ends, and how often it writes its state and is tested.

    checkpoint_steps: of a walker between two states on disk; test_every: labels between two points
    of the learning curve.
    """

    budget: Budget
    stop: Stop
    checkpoint_steps: int
    test_every: int


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a loop is: what its log and its display tell.

    Attributes
    ----------
    version : of the model, 0 before the first fit
    n_labels, n_failures : labels admitted, requests without one
    tally : steps, simulated time, flags
    share_without_label : share of the steps that needed no label, nan before any
    sigma : largest force sigma of the last step, eV/A, nan before any
    found : largest force error of each label of this call, eV/A
    seconds : wall time by "explore", "label", "update", "other"
    """

    version: int
    n_labels: int
    n_failures: int
    tally: Tally
    share_without_label: float
    sigma: float
    found: Sequence[float]
    seconds: dict[str, float]
