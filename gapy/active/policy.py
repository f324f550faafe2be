"""When to label, when to give a walker up, when to stop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gapy.active.frames import Frame
from gapy.errors import GapyError
from gapy.md.settings import real, whole

OK, FLAG, ABANDON = "ok", "flag", "abandon"
UNPROVEN = 2.0
"""Errors are taken to be so much larger than their sigma until labels say otherwise."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What to do with a frame, and how many labels to ask for at once.

    Attributes
    ----------
    max_force_std : eV/A, calibrated; a structure with an atom above it is labelled
    abandon_force_std : eV/A; above it the structure is too far gone to be worth a calculation and
        the walker goes back to its start. Default: 10 max_force_std
    batch : labels per update of the model, at most
    min_interval : steps of one walker between two labels; nearer ones tell little that is new
    patience : steps that a flagged walker still makes, in search of the structure with the largest
        sigma below abandon_force_std, which is labelled; 0 labels the first one above the threshold
    min_distance : smallest distance |xh - xh'| between the normalised descriptors of the most
        uncertain environment and any labelled one of its species; below it the structure is a
        near-duplicate
    adapt : the sigma that is compared with max_force_std is multiplied by how much the errors
        found at the last `adapt` labels exceeded theirs, see `factor`; 0 takes it as it is
    max_abandons : so many returns to the start in a row, without a label on the way, retire the
        walker; from the second one on a label is asked for at the start

    Raises
    ------
    GapyError : a value of the wrong kind or range
    """

    max_force_std: float
    abandon_force_std: float | None = None
    batch: int = 4
    min_interval: int = 10
    patience: int = 0
    min_distance: float = 0.001
    adapt: int = 8
    max_abandons: int = 10

    def __post_init__(self):
        low = real("max_force_std", self.max_force_std, "eV/A", above=0.0)
        high = self.abandon_force_std
        high = 10.0 * low if high is None else real("abandon_force_std", high, "eV/A", above=0.0)
        if high <= low:
            raise GapyError(
                f"abandon_force_std must be above max_force_std = {low:g} eV/A, got {high:g}"
            )
        checked = {
            "max_force_std": low,
            "abandon_force_std": high,
            "batch": whole("batch", self.batch, least=1),
            "min_interval": whole("min_interval", self.min_interval, least=0),
            "patience": whole("patience", self.patience, least=0),
            "min_distance": real("min_distance", self.min_distance, "no unit", least=0.0),
            "adapt": whole("adapt", self.adapt, least=0),
            "max_abandons": whole("max_abandons", self.max_abandons, least=1),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def judge(self, frame: Frame, factor: float = 1.0) -> str:
        """OK, FLAG or ABANDON; `factor` times sigma is compared with max_force_std."""
        sigma = frame.max_force_std
        if frame.broken is not None or not sigma <= self.abandon_force_std:
            return ABANDON
        return FLAG if factor * sigma > self.max_force_std else OK

    def factor(self, ratios: Sequence[float]) -> float:
        """How much larger errors are than their sigma, at least 1.

            factor^2 = max(1, sum_k r_k^2 / n)

        over the last n = `adapt` labels; those that are not there yet count as r = 2. r_k is the
        ratio of the largest force error found at an atom (its length over sqrt(3), as sigma is that
        of a component) to the largest sigma predicted. The sigma is calibrated on structures that
        were labelled; flagged structures are a test of it on new ones, and few labels calibrate
        badly.
        """
        if not self.adapt:
            return 1.0
        last = list(ratios)[-self.adapt :]
        last += [UNPROVEN] * (self.adapt - len(last))
        return math.sqrt(max(1.0, sum(r * r for r in last) / len(last)))


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much the loop may spend: labels in all, and hours of wall time of one call.

    Raises
    ------
    GapyError : a value of the wrong kind or range
    """

    labels: int | None = None
    hours: float | None = None

    def __post_init__(self):
        if self.labels is not None:
            object.__setattr__(self, "labels", whole("labels", self.labels, least=1))
        if self.hours is not None:
            object.__setattr__(self, "hours", real("hours", self.hours, "h", above=0.0))


@dataclass(frozen=True, kw_only=True)
class Stop:
    """When there is nothing more to learn.

    The loop stops when every walker, in every range of temperatures of its schedule, has passed
    this much since its last flag there: `quiet_ps` of simulated time, `quiet_steps` where there is
    no time. None: the walkers run to the end of their schedules.

    Raises
    ------
    GapyError : a value of the wrong kind or range
    """

    quiet_ps: float | None = None
    quiet_steps: int | None = None

    def __post_init__(self):
        if self.quiet_ps is not None:
            object.__setattr__(self, "quiet_ps", real("quiet_ps", self.quiet_ps, "ps", above=0.0))
        if self.quiet_steps is not None:
            steps = whole("quiet_steps", self.quiet_steps, least=1)
            object.__setattr__(self, "quiet_steps", steps)

    def wanted(self, has_time: bool) -> float | None:
        """ps or steps without a flag that an explorer must pass; None for no such rule."""
        return self.quiet_ps if has_time else self.quiet_steps
