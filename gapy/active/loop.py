"""The loop: explore, label, update, and after each of them the state on disk."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, replace

import numpy as np
from ase import Atoms

from gapy.active import checkpoint as names
from gapy.active import ending, records, report
from gapy.active.diversity import Environments
from gapy.active.explorers.base import rng_of
from gapy.active.frames import Request
from gapy.active.labels import Failure, Label, label_error
from gapy.active.oracle import OracleError
from gapy.active.parts import Given, Parts, Progress, Schedule
from gapy.active.result import LearnResult
from gapy.active.store import labelled
from gapy.active.walkers import Tally, Walker
from gapy.error_bars.calibration import POSTERIOR_EVERY
from gapy.errors import GapyError


class Loop:
    """One call of `learn`: what is on disk is always the end of a whole step of the loop.

    A step is: a batch labelled and the model updated, or a stretch of exploration that ends with
    the next batch or a checkpoint. Calculators and integrators are made anew at each of them,
    which is just what resuming does: so both take the same path, bit by bit.
    """

    def __init__(
        self, files, parts: Parts, given: Given, schedule: Schedule, *, display, on_frame=None
    ):
        self.files = files
        self.parts = parts
        self.given = given
        self.schedule = schedule
        self.display = display
        self.on_frame = on_frame
        self.tally = Tally()
        self.keys: list[str] = []
        self.pending: list[Request] = []
        self.n_requests = 0
        self.version = 0
        self.model_hash = ""
        self.tested = -1
        self.ratios: list[float] = []  # largest error of an atom over the largest sigma, per label
        self.seconds = dict.fromkeys(("explore", "label", "update", "other"), 0.0)
        self.found: list[float] = []  # largest force error of each label of this call, eV/A
        self.current_sigma = float("nan")
        self._structures: list[Atoms] | None = None
        self._environments: Environments | None = None
        self._failures_in_row = 0
        self._began = self._marked = time.perf_counter()

    # -- starting -------------------------------------------------------------------------------

    def begin(self, identity: dict) -> None:
        """Step 0: the first requests, or the first fit if there are training structures."""
        self.identity = identity
        for k, walker in enumerate(self.parts.walkers):
            walker.explorer.begin(rng_of(self.given.seed, k))
        self._structures = list(self.given.training)
        sizes = dict.fromkeys((names.LABELS_CSV, names.LOOP_CSV, names.TEST_CSV), 0)
        self.files.open_at(sizes)
        for name, columns in records.COLUMNS.items():
            self.files.append(name, records.header(columns))
        if self._structures:
            self._learn(len(self._structures))
        else:
            starts = [(w.name, w.explorer.start) for w in self.parts.walkers]
            self.pending = self.given.initial.requests(starts, self.given.seed)
            self._require_budget(len(self.pending))
        self._save()

    def _require_budget(self, n_initial: int) -> None:
        labels = self.schedule.budget.labels
        if labels is not None and labels < n_initial:
            raise GapyError(
                f"labels: the budget of {labels} is less than the {n_initial} initial structures; "
                "raise it, or give fewer rattles"
            )

    def resume(self, state: dict, identity: dict) -> None:
        """Go on from the stored state, if it is of the same loop."""
        self.identity = identity
        records.require_same(state["identity"], identity, self.files.path)
        self.tally = Tally(**state["tally"])
        self.keys = state["keys"]
        self.pending = [Request(**r) for r in state["pending"]]
        self.n_requests = state["n_requests"]
        self.tested = state["tested"]
        self.ratios = state["ratios"]
        self.seconds = state["seconds"]
        for walker, saved in zip(self.parts.walkers, state["walkers"]):
            walker.set_state(saved)
        self.files.open_at(state["sizes"])
        self._structures = [*self.given.training, *map(self._stored, self.keys)]
        self.version, self.model_hash = state["version"], state["model_hash"]
        if self.version:
            self._read_model(state["history"])

    def _stored(self, key: str) -> Atoms:
        store = self.parts.store
        if not isinstance(store.outcome(key), Label):
            raise GapyError(
                f"label {key} of the loop in {self.files.path} is not in {store.url}; give "
                "the database of this loop"
            )
        return store.structure(key)

    # -- going ----------------------------------------------------------------------------------

    def go(self) -> LearnResult:
        """Until there is nothing left to flag, or nothing left to spend."""
        schedule = self.schedule
        while True:
            self.display.update(self.progress())
            if self.pending:
                if not self._label():
                    reason = ending.out_of_time(schedule.budget)
                    return self._end("budget", reason, last_touch=False)
                self._admit()
            status, reason = ending.why(
                schedule, len(self.keys), self.parts.walkers, self.in_time()
            )
            if status:
                return self._end(status, reason, last_touch=self.in_time())
            self._explore()

    def progress(self) -> Progress:
        """How far it is."""
        asked = self.n_requests - min(self.n_requests, self.identity["n_initial"])
        steps = self.tally.steps
        return Progress(
            version=self.version,
            n_labels=len(self.keys),
            n_failures=self.parts.store.n_failures,
            tally=replace(self.tally),
            share_without_label=1.0 - asked / steps if steps else float("nan"),
            sigma=self.current_sigma,
            found=tuple(self.found),
            seconds=dict(self.seconds),
        )

    def in_time(self) -> bool:
        """Whether this call may go on."""
        hours = self.schedule.budget.hours
        return hours is None or time.perf_counter() - self._began < 3600.0 * hours

    # -- exploring ------------------------------------------------------------------------------

    def _explore(self) -> None:
        """A stretch of every walker; what they flag becomes the next batch."""
        self._clock("other")
        environments = self._known_environments()
        walkers, policy = self.parts.walkers, self.parts.policy
        potential = self.parts.model.potential

        def known(request: Request) -> bool:
            return environments.distance(request) < policy.min_distance

        factor = policy.factor(self.ratios)

        def judge(frame) -> str:
            return policy.judge(frame, factor)

        candidates = []
        for walker in walkers:
            if walker.explorer.finished is not None:
                continue
            calculator = potential.calculator(
                uncertainty=True, posterior_every=POSTERIOR_EVERY, threads=self.identity["threads"]
            )
            walker.explorer.attach(calculator)
            request = walker.explore(
                self.schedule.checkpoint_steps, judge, policy, self.version, known, self.tally,
                self._watch,
            )  # fmt: skip
            if request is not None:
                candidates.append(request)
        self._clock("explore")
        limit, labels = policy.batch, self.schedule.budget.labels
        if labels is not None:
            limit = min(limit, labels - len(self.keys))
        batch, duplicates = environments.choose(candidates, limit, policy.min_distance)
        self.tally.duplicates += duplicates
        by_name = {w.name: w for w in walkers}
        for request in batch:
            by_name[request.walker].requested(request)
        self.pending = batch
        self._save()

    def _watch(self, walker: Walker, frame, verdict: str) -> None:
        self.current_sigma = frame.max_force_std
        if self.on_frame is not None:
            self.on_frame(walker.name, frame, verdict, self.version)
        self.display.tick(self.progress())

    def _known_environments(self) -> Environments:
        if self._environments is None:
            terms = self.parts.model.potential.terms
            self._environments = Environments([term.descriptor for term in terms])
            for s in self._structures:
                self._environments.add(getattr(s, "atoms", s))
        return self._environments

    # -- labelling ------------------------------------------------------------------------------

    def _label(self) -> bool:
        """Outcomes of all pending requests in the store; False if time is up before."""
        self._clock("other")
        oracle, store = self.parts.oracle, self.parts.store
        keys = [oracle.key(r) for r in self.pending]
        todo = {}
        for k, key in enumerate(keys):
            if key not in todo.values() and store.outcome(key) is None:
                todo[k] = key
        order = sorted(todo)
        outcomes = oracle.label(
            [self.pending[k] for k in order], self.files.path / names.ORACLE, go_on=self.in_time
        )
        stored = 0
        for position, outcome in outcomes:
            k = order[position]
            if isinstance(outcome, Failure) and outcome.kind == "gone":
                raise OracleError(f"the oracle is gone: {outcome.reason}; mend it, then resume")
            number = self.n_requests + k
            store.add(keys[k], number, self.pending[k], outcome, oracle.settings)
            stored += 1
            self._count_failure(outcome, keys)
            self.display.update(self.progress())
        self._clock("label")
        return stored == len(order)

    def _count_failure(self, outcome, keys) -> None:
        if not isinstance(outcome, Failure):
            self._failures_in_row = 0
            return
        self._failures_in_row += 1
        if self._failures_in_row >= self.parts.oracle.max_failures:
            # Tried again on resuming, when the oracle has been mended.
            self.parts.store.forget_failures(keys)
            raise OracleError(
                f"the oracle failed {self._failures_in_row} times in a row, last: {outcome.kind}: "
                f"{outcome.reason}; mend it, then resume"
            )

    def _admit(self) -> None:
        """Labels of the batch enter the model in the order of their requests."""
        new = 0
        for k, request in enumerate(self.pending):
            key = self.parts.oracle.key(request)
            outcome = self.parts.store.outcome(key)
            row = records.label_row(self.n_requests + k, request, outcome, self.tally)
            self.files.append(names.LABELS_CSV, row)
            error = label_error(outcome, request.forces) if isinstance(outcome, Label) else None
            if error is not None:
                self.found.append(error[0])
                # Of one component, as sigma is.
                self.ratios.append(error[0] / np.sqrt(3.0) / request.max_force_std)
            if isinstance(outcome, Label) and key not in self.keys:
                self.keys.append(key)
                self._structures.append(labelled(request.atoms, outcome))
                new += 1
        self.n_requests += len(self.pending)
        self.pending = []
        if new:
            self._learn(new)
        elif not self.version:
            raise OracleError(
                "none of the initial structures could be labelled; see the failures in "
                f"{self.files.path / names.LABELS_CSV}"
            )
        self._save()

    # -- learning -------------------------------------------------------------------------------

    def _learn(self, n_new: int) -> None:
        """Update the model and write it."""
        self._clock("other")
        self.parts.model.update(self._structures, n_new)
        self._write_model()
        if self._environments is not None:
            for s in self._structures[-n_new:]:
                self._environments.add(getattr(s, "atoms", s))
        self._clock("update")
        untested = len(self._structures) - max(self.tested, 0)
        if untested >= self.schedule.test_every or self.tested < 0:
            self._test()

    def _write_model(self) -> None:
        """A new version on disk. Reading it again would give the same model: see `Model`."""
        self.version += 1
        path = self.files.model_path(self.version)
        path.parent.mkdir(exist_ok=True)
        self.parts.model.save(path)
        self.model_hash = hashlib.sha256(path.read_bytes()).hexdigest()

    def _read_model(self, history: list) -> None:
        path = self.files.model_path(self.version)
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "nothing"
        if found != self.model_hash:
            raise GapyError(
                f"{path}: expected the model of this loop, got {found[:12]}; restore the file"
            )
        self.parts.model.resume(history, path)

    def _test(self) -> None:
        if not self.given.test or self.tested == len(self._structures):
            return
        from gapy.validation.evaluation import evaluate

        errors = evaluate(self.parts.model.potential, self.given.test).total
        self.tested = len(self._structures)
        row = records.test_row(self.tested, len(self.keys), errors)
        self.files.append(names.TEST_CSV, row)

    # -- books ----------------------------------------------------------------------------------

    def _save(self) -> None:
        """The state; then what follows from it and may be done twice."""
        self.files.append(names.LOOP_CSV, records.loop_row(self.progress()))
        self._clock("other")
        self.files.save(
            {
                "identity": self.identity,
                "tally": asdict(self.tally),
                "keys": self.keys,
                "pending": [r.to_dict() for r in self.pending],
                "n_requests": self.n_requests,
                "version": self.version,
                "model_hash": self.model_hash,
                "history": self.parts.model.history,
                "tested": self.tested,
                "ratios": self.ratios,
                "seconds": self.seconds,
                "walkers": [w.get_state() for w in self.parts.walkers],
                "sizes": self.files.sizes(),
            }
        )
        if self.version:
            path = self.files.model_path(self.version)
            self.parts.store.add_model(
                self.version, self.model_hash, f"{names.MODELS}/{path.name}", len(self.keys)
            )
            for old in sorted(path.parent.glob("model-*.gapy")):
                if old.name < path.name:
                    old.unlink(missing_ok=True)

    def _settings(self) -> dict:
        """All settings as plain data, those included that may change from call to call."""
        limits = {name: dict(vars(getattr(self.schedule, name))) for name in ("budget", "stop")}
        training = f"{len(self.given.training)} structures"
        return {**self.identity, **limits, "training": training}

    def _clock(self, what: str) -> None:
        """Book the time since the last call under `what`."""
        now = time.perf_counter()
        self.seconds[what] += now - self._marked
        self._marked = now

    def _end(self, status: str, reason: str, *, last_touch: bool = True) -> LearnResult:
        """`last_touch` is false where time is up: a loop that goes on must not see it."""
        self._clock("other")
        if last_touch and self.parts.model.finish(self._structures):
            self._write_model()
        self._clock("update")
        self._test()
        self._save()
        model, model_hash = None, ""
        if self.version:
            model = self.files.path / names.MODEL
            self.parts.model.potential.save(model)
            model_hash = hashlib.sha256(model.read_bytes()).hexdigest()
        progress = self.progress()
        self.display.update(progress)
        return LearnResult(
            status=status,
            reason=reason,
            n_labels=progress.n_labels,
            n_failures=progress.n_failures,
            n_steps=progress.tally.steps,
            ps=progress.tally.ps,
            share_without_label=progress.share_without_label,
            n_versions=progress.version,
            model_path=model,
            model_hash=model_hash,
            directory=self.files.path,
            report_path=report.write(
                self.files, self.parts.store, self._settings(), status, reason
            ),
            seconds=progress.seconds,
        )
