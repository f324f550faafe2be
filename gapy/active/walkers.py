"""One explorer inside the loop: its flags, its quiet time, and when it is given up."""

from __future__ import annotations

from dataclasses import dataclass, field

from gapy.active.explorers.base import Explorer
from gapy.active.frames import START, Frame, Request
from gapy.active.policy import ABANDON, FLAG, Policy, Stop


@dataclass
class Tally:
    """Counts over a loop: steps, simulated time, flagged steps, and what became of flags."""

    steps: int = 0
    ps: float = 0.0
    flagged: int = 0
    duplicates: int = 0
    abandoned: int = 0


@dataclass
class Walker:
    """An explorer, and what the policy remembers of it.

    last_label : step of its last label or near-duplicate; returns : returns to the start since
    then; quiet : ps (or steps) without a flag in each stage of its schedule.
    """

    name: str
    explorer: Explorer
    last_label: int | None = None
    returns: int = 0
    time_ps: float = 0.0
    quiet: list[float] = field(default_factory=list)

    def __post_init__(self):
        self.quiet = self.quiet or [0.0] * self.explorer.stages

    def explore(self, steps: int, judge, policy: Policy, version: int, known, tally, watch):
        """Advance until something is to be labelled, at most `steps`; the Request or None.

        judge(frame) is the policy's verdict; known(request) says whether a structure is a
        near-duplicate of a labelled one; watch(walker, frame, verdict) sees every step.
        """
        held: Request | None = None  # flagged too soon after a label
        best: Request | None = None  # the most uncertain one since the flag that will be answered
        end = self.explorer.step + steps
        for _ in range(steps):
            before = self.explorer.step
            done = self.explorer.finished is not None or before >= end
            frame = None if done else self.explorer.advance()
            if frame is None:
                break
            tally.steps += max(frame.step - before, 1)
            passed = self._passed(frame, tally)
            verdict = judge(frame)
            watch(self, frame, verdict)
            if verdict == ABANDON:
                return self._give_up(frame, policy, tally, best or held, version)
            if verdict == FLAG:
                tally.flagged += 1
                self.quiet[frame.stage] = 0.0
                request = Request.of_frame(frame, self.name, self.explorer.kind, version)
                if self._too_soon(frame, policy):
                    held = request  # the frontier, should the next step be too far
                elif best is None and known(request):
                    tally.duplicates += 1
                    self.last_label = frame.step
                elif best is None:
                    best, flagged_at = request, frame.step
                elif request.max_force_std > best.max_force_std:
                    best = request
            else:
                self.quiet[frame.stage] += passed
            if best is not None and frame.step - flagged_at >= policy.patience:
                break
        return best

    def requested(self, request: Request) -> None:
        """This walker's structure is going to be labelled."""
        self.last_label = request.step
        if request.origin != START:
            self.returns = 0  # else the walker has yet to show that it gets anywhere

    def is_quiet(self, stop: Stop) -> bool:
        """Whether it has finished, or passed enough without a flag everywhere."""
        wanted = stop.wanted(self.explorer.has_time)
        if self.explorer.finished is not None:
            return True
        return wanted is not None and all(q >= wanted for q in self.quiet)

    def get_state(self) -> dict:
        """Plain data and arrays."""
        return {
            "name": self.name,
            "explorer": self.explorer.get_state(),
            "last_label": self.last_label,
            "returns": self.returns,
            "time_ps": self.time_ps,
            "quiet": list(self.quiet),
        }

    def set_state(self, state: dict) -> None:
        """The inverse of `get_state`."""
        self.explorer.set_state(state["explorer"])
        self.last_label = state["last_label"]
        self.returns = state["returns"]
        self.time_ps = state["time_ps"]
        self.quiet = list(state["quiet"])

    def _passed(self, frame: Frame, tally: Tally) -> float:
        if not self.explorer.has_time:
            return 1.0
        passed = max(frame.time_ps - self.time_ps, 0.0)
        self.time_ps = frame.time_ps
        tally.ps += passed
        return passed

    def _too_soon(self, frame: Frame, policy: Policy) -> bool:
        return self.last_label is not None and frame.step - self.last_label < policy.min_interval

    def _give_up(self, frame, policy, tally, held, version) -> Request | None:
        """Back to the start; the last structure that was worth a label, if there is one.

        Where a walker is lost at once for the second time in a row, the model does not even know
        its start: then this structure is asked for, or it would be retired without a label.
        """
        tally.abandoned += 1
        tally.flagged += 1
        self.quiet[frame.stage] = 0.0
        self.returns += 1
        if held is None and self.returns >= policy.max_abandons:
            why = frame.broken or f"force sigma {frame.max_force_std:.3g} eV/A"
            self.explorer.finished = (
                f"given up after {self.returns} returns to its start without a label; last: {why}"
            )
            return None
        if held is None and self.returns > 1 and frame.broken is None:
            held = Request.of_frame(frame, self.name, self.explorer.kind, version, origin=START)
        self.explorer.restart()
        return held
