"""The gate over whole histories: limits hold, slots are the fold, and nobody waits in vain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import count, pairwise
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from simulation.limits import StoredLimits

from flowledger.engine.domain.deterministic_ids import milliseconds, step_id, uuid7
from flowledger.engine.domain.limits.admission import AdmissionControl, AdmissionRules
from flowledger.engine.domain.limits.circuit_breaker import CircuitRules
from flowledger.engine.domain.limits.demand import demand_of
from flowledger.engine.domain.machine.decide import Rules, admitted, decide, timer_fired
from flowledger.engine.domain.machine.task_run import BUSY, TaskRun, fold_run
from flowledger.engine.domain.machine.transitions import TASK_ENDS, StepState
from flowledger.engine.domain.templates.compiled_template import compile_plan
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.requests import (
    StepSkipRequested,
    TaskCancelRequested,
    TaskPauseRequested,
    TaskResumeRequested,
)
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCompleted,
    StepEnqueued,
    StepStarted,
)
from flowledger.engine.events.template import TemplatePaused, TemplateResumed
from support.builders import NOON, WORKER, error, step, template
from support.builders import created as created_event
from support.examples import examples

RETRY = {"max_attempts": 50, "backoff": "fixed", "base_seconds": 3, "jitter": "none"}
PLAN = compile_plan(
    template(
        step("plain", retry=RETRY),
        step("keyed", retry=RETRY, concurrency={"limit": 1, "key": "customer"}),
        step("paced", retry=RETRY, rate={"limit": 1, "per_seconds": 10}),
        step("bank", retry=RETRY, system="bank"),
        step("last", "plain", "keyed", "bank", retry={**RETRY, "base_seconds": 0.001}),
        concurrency={"limit": 3},
    ),
    {"shop"},
)
LIMITS = {"template:shop/order": 3, "namespace:shop": 4, "step-key": 1}
RULES = AdmissionRules(
    namespaces={"shop": 4},
    circuit=CircuitRules(
        failure_threshold=2,
        open_seconds=20.0,
        open_cap_seconds=60.0,
        half_open_probes=1,
        categories=frozenset({"unknown"}),
    ),
    priority_ageing_seconds=60.0,
    weights={},
)


def everybody(_: UUID) -> bool:
    """There is one shard."""
    return True


class Shard:
    """A coordinator's part in memory: runs, a gate, and what is stored."""

    def __init__(self) -> None:
        self.store = StoredLimits()
        self.now = NOON
        self.gate = AdmissionControl(RULES, self.store.state(self.now, everybody))
        self.runs: list[TaskRun] = []
        self.logs: list[list[TaskEvent]] = []
        self.enqueued: list[StepEnqueued] = []
        self.rules = Rules(lost_leases=2, admit=self._admit)
        self._ids = count(1)
        self._touched: dict[TaskRun, set[int]] = {}

    def _admit(self, run: TaskRun, number: int, now: Any) -> Any:
        return self.gate.admit(run, number, now)

    def submit(self, customer: int, priority: int) -> None:
        task = uuid7(milliseconds(self.now), next(self._ids))
        created = created_event(
            PLAN, task, context={"customer": customer}, priority=priority, occurred_at=self.now
        )
        self.runs.append(TaskRun(created, PLAN))
        self.logs.append([created])
        self._decide(self.runs[-1])
        self.commit()

    def fact(
        self, run: TaskRun, kind: type[TaskEvent], stream: Any, version: int, **data: Any
    ) -> None:
        event = kind(
            originator_id=stream,
            originator_version=version,
            event_id=uuid7(milliseconds(self.now), 1 << 40 | next(self._ids)),
            occurred_at=self.now,
            correlation_id="c",
            task_id=run.task_id,
            namespace="shop",
            template="order",
            **data,
        )
        run.apply(event)
        self._saw(run, event)
        if isinstance(event, StepEvent):
            self.gate.record_outcome(run, event, self.now)
        self._decide(run)

    def report(self, run: TaskRun, number: int, kind: type[StepEvent], **data: Any) -> None:
        name, at = PLAN.steps[number].name, run.steps[number]
        attempt = at.attempt + (kind is StepStarted)
        stream = step_id(run.task_id, name)
        self.fact(run, kind, stream, at.version + 1, step=name, attempt=attempt, **data)

    def ask(self, run: TaskRun, kind: type[TaskEvent], **data: Any) -> None:
        stream = uuid7(milliseconds(self.now), 1 << 50 | next(self._ids))
        self.fact(run, kind, stream, 1, actor="ann", reason="asked", **data)

    def pause(self, *, paused: bool) -> None:
        kind = TemplatePaused if paused else TemplateResumed
        fields = {"originator_id": PLAN.template_id, "originator_version": 2, "event_id": WORKER}
        self.gate.record_template_event(
            kind(occurred_at=self.now, correlation_id="c", reason="r", **fields)
        )
        (self.store.paused.add if paused else self.store.paused.discard)(PLAN.template_id)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for run in self.runs:
            for number, (kind, due) in sorted(run.timers.items()):
                if due <= self.now:
                    name = PLAN.steps[number].name
                    self._keep(run, timer_fired(run, name, kind, self.now, self.rules))

    def restart(self) -> None:
        """All that is in memory is lost."""
        self.gate = AdmissionControl(RULES, self.store.state(self.now, everybody))
        self.runs = [fold_run(log, PLAN) for log in self.logs]
        for run in self.runs:
            self.gate.restore(run)

    def commit(self) -> None:
        for run, numbers in self._touched.items():
            self.gate.sync(run, numbers)
            if run.ended:
                self.gate.ended(run)
        self._touched = {}
        for waiter in self.gate.admissible(self.now):
            (run,) = (run for run in self.runs if run.task_id == waiter.task_id)
            number = PLAN.numbers[waiter.step]
            self._keep(run, admitted(run, number, self.now, self.rules))
        changes = self.gate.drain()
        self.store.check(changes)
        self.store.store(changes)

    def busy(self) -> list[tuple[TaskRun, int]]:
        return [
            (run, number)
            for run in self.runs
            for number, at in enumerate(run.steps)
            if at.state in BUSY
        ]

    def _decide(self, run: TaskRun) -> None:
        self._keep(run, decide(run, run.last_event, self.now, self.rules))

    def _keep(self, run: TaskRun, events: Iterable[TaskEvent]) -> None:
        for event in events:
            self._saw(run, event)
            if isinstance(event, StepEnqueued):
                self.enqueued.append(event)

    def _saw(self, run: TaskRun, event: TaskEvent) -> None:
        self.logs[self.runs.index(run)].append(event)
        touched = self._touched.setdefault(run, set())
        if isinstance(event, StepEvent):
            touched.add(PLAN.numbers[event.step])

    def assert_in_order(self) -> None:
        """What must hold after every commit."""
        slots = {
            step_id(run.task_id, PLAN.steps[number].name): {
                limit.key for limit in self._demand(run, number).slots
            }
            for run, number in self.busy()
        }
        assert self.store.holders == slots, "slots are the fold"
        for key, in_use in self.store.in_use.items():
            limit = LIMITS.get(key) or LIMITS[key.partition(":")[0]]
            assert in_use <= limit, f"{key}: {in_use} of {limit}"
        waiting = {
            step_id(run.task_id, PLAN.steps[number].name)
            for run in self.runs
            for number in run.waiting
        }
        assert set(self.store.waiters) == waiting, "who waits is stored"
        paced = [event.occurred_at for event in self.enqueued if event.step == "paced"]
        gaps = [later - earlier for earlier, later in pairwise(paced)]
        assert all(gap >= timedelta(seconds=10) for gap in gaps)
        self._assert_nobody_waits_in_vain()

    def _assert_nobody_waits_in_vain(self) -> None:
        for run in self.runs:
            for number in run.waiting:
                demand = self._demand(run, number)
                assert self.gate._obstacle(demand, self.now) is not None, PLAN.steps[number].name
            if not (run.ended or run.task.paused):
                assert not run.ready

    def _demand(self, run: TaskRun, number: int) -> Any:
        return demand_of(PLAN, number, run.context, RULES.namespaces)


def play(shard: Shard, what: int, which: int) -> None:
    """One thing happens: whatever the two numbers say."""
    busy, tasks = shard.busy(), shard.runs
    run, number = busy[which % len(busy)] if busy else (None, 0)
    if what == 0:
        shard.submit(which % 3, which % 5)
    elif what == 1:
        shard.pass_time(which % 25)
    elif what == 2:
        shard.restart()
    elif what == 3:
        shard.pause(paused=bool(which % 2))
    elif what == 4 and tasks:
        kinds = (TaskCancelRequested, TaskPauseRequested, TaskResumeRequested, TaskResumeRequested)
        shard.ask(tasks[which % len(tasks)], kinds[which % 4])
    elif what == 5 and tasks:
        asked = tasks[which % len(tasks)]
        held = sorted(asked.waiting) or [0]
        shard.ask(asked, StepSkipRequested, step=PLAN.steps[held[which % len(held)]].name)
    elif run is not None:
        advance(shard, run, number, succeeds=what != 6)


def advance(shard: Shard, run: TaskRun, number: int, *, succeeds: bool) -> None:
    """A step that is queued is started, one that runs ends."""
    if run.steps[number].state is StepState.ENQUEUED:
        shard.report(run, number, StepStarted, worker=WORKER)
    elif succeeds:
        shard.report(run, number, StepCompleted)
    else:
        shard.report(run, number, StepAttemptFailed, error=error())


def finish(shard: Shard) -> None:
    """Faults stop, operators let everything go on, and time passes."""
    shard.pause(paused=False)
    for run in shard.runs:
        shard.ask(run, TaskResumeRequested)
    for _ in range(400):
        shard.commit()
        busy = shard.busy()
        if not busy and all(run.task.state in TASK_ENDS for run in shard.runs):
            return
        for run, number in busy:
            advance(shard, run, number, succeeds=True)
        shard.pass_time(5)
    raise AssertionError("somebody waits for ever")


@settings(max_examples=examples(75), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 500)), max_size=60))
def test_limits_hold_and_everything_ends(history: list[tuple[int, int]]) -> None:
    shard = Shard()
    for customer in range(3):
        shard.submit(customer, 0)
    for what, which in history:
        play(shard, what, which)
        shard.commit()
        shard.assert_in_order()

    finish(shard)

    assert shard.store.holders == shard.store.in_use == {}
    assert shard.store.waiters == {}
