"""The whole task as a machine: whatever workers, clock and coordinator do, in whatever order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from given import Story, step, template
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flowledger.engine.domain.events import (
    StepCompleted,
    StepEnqueued,
    StepErrored,
    StepEvent,
    StepStarted,
    TaskCompleted,
    TaskEvent,
    TaskFailed,
)
from flowledger.engine.domain.retry import Retry
from flowledger.engine.domain.run import ACTIVE, Run, fold_run
from flowledger.engine.domain.states import StepState, TaskState
from flowledger.engine.domain.template import Template

RETRIES = st.builds(
    Retry,
    max_attempts=st.integers(0, 3),
    backoff=st.sampled_from(["none", "fixed", "exponential", "fibonacci"]),
    jitter=st.sampled_from(["none", "full"]),
)


@st.composite
def templates(draw: st.DrawFn) -> Template:
    """A DAG of one to eight steps; a step depends on steps before it."""
    steps = []
    for number in range(draw(st.integers(1, 8))):
        earlier = [str(n) for n in range(number)]
        parents = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        seconds = draw(st.none() | st.floats(0.5, 100))
        steps.append(step(str(number), *parents, retry=draw(RETRIES), timeout_seconds=seconds))
    return template(*draw(st.permutations(steps)))


class TaskMachine(RuleBasedStateMachine):
    """Facts may pile up before the coordinator looks; timers ring early, late and in vain."""

    @initialize(
        template=templates(),
        lost_leases=st.integers(0, 2),
        finally_=st.sampled_from(["complete", "fail", "lose"]),
    )
    def submitted(self, template: Template, lost_leases: int, finally_: str) -> None:
        self.story = Story(template, lost_leases=lost_leases)
        self.finally_ = finally_

    # -- what happens

    @precondition(lambda self: self.steps_in(StepState.ENQUEUED))
    @rule(data=st.data())
    def worker_starts(self, data: st.DataObject) -> None:
        self.story.begin(self.one(data, StepState.ENQUEUED))

    @precondition(lambda self: self.steps_in(StepState.IN_PROGRESS))
    @rule(data=st.data())
    def worker_completes(self, data: st.DataObject) -> None:
        self.story.complete(self.one(data, StepState.IN_PROGRESS))

    @precondition(lambda self: self.steps_in(StepState.IN_PROGRESS))
    @rule(data=st.data(), retryable=st.booleans())
    def worker_fails(self, data: st.DataObject, *, retryable: bool) -> None:
        self.story.fail(self.one(data, StepState.IN_PROGRESS), retryable=retryable)

    @precondition(lambda self: self.steps_in(StepState.IN_PROGRESS))
    @rule(data=st.data())
    def worker_hands_back(self, data: st.DataObject) -> None:
        self.story.hand_back(self.one(data, StepState.IN_PROGRESS))

    @rule(data=st.data())
    def worker_goes_silent(self, data: st.DataObject) -> None:
        self.story.lose(self.one(data, *StepState))

    @rule(data=st.data(), seconds=st.sampled_from([0.0, 0.4, 1.0, 30.0, 1e6]))
    def timer_rings(self, data: st.DataObject, seconds: float) -> None:
        self.story.ring(self.one(data, *StepState), after=seconds)

    @rule()
    def coordinator_asks_again(self) -> None:
        self.story.decided()

        assert self.story.decided() == ()
        assert self.run.active or self.run.ended

    @rule()
    def coordinator_reloads(self) -> None:
        folded = fold_run(self.story.log, self.story.plan)

        assert slots(folded) == slots(self.run)
        assert all(type(event).model_validate(vars(event)) == event for event in self.log)
        self.story.run = folded

    @rule(data=st.data())
    def streams_are_read_one_into_another(self, data: st.DataObject) -> None:
        created, *rest = self.story.log
        mixed = [created, *interleaved(rest, data.draw(st.randoms(use_true_random=False)))]

        assert slots(fold_run(mixed, self.story.plan)) == slots(self.run)

    # -- what always holds

    @invariant()
    def no_step_runs_before_its_parents_completed(self) -> None:
        completed: set[str] = set()
        for event in self.log:
            if isinstance(event, (StepEnqueued, StepStarted, StepErrored)):
                assert set(self.dependencies(event.step)) <= completed
            if isinstance(event, StepCompleted):
                completed.add(event.step)

    @invariant()
    def no_step_completes_twice(self) -> None:
        done = Counter(e.step for e in self.log if isinstance(e, StepCompleted))

        assert all(count == 1 for count in done.values())

    @invariant()
    def a_task_that_ended_has_no_active_step_and_one_end(self) -> None:
        ends = [e for e in self.log if isinstance(e, (TaskCompleted, TaskFailed))]

        assert len(ends) == self.run.ended
        assert not self.run.ended or not self.steps_in(*ACTIVE)

    @invariant()
    def a_task_is_complete_only_when_all_its_steps_are(self) -> None:
        if self.run.task.state is TaskState.COMPLETE:
            assert len(self.steps_in(StepState.COMPLETE)) == len(self.run.steps)
        if self.run.task.state is TaskState.ERROR:
            assert self.steps_in(StepState.ERROR)

    @invariant()
    def counters_equal_a_recount(self) -> None:
        run, complete = self.run, set(self.steps_in(StepState.COMPLETE))
        open_edges = [
            len([parent for parent in s.dependencies if parent not in complete])
            for s in run.plan.steps
        ]
        ready = {
            number
            for number, count in enumerate(open_edges)
            if not count and run.steps[number].state is StepState.PENDING
        }

        assert (run.open, run.ready) == (open_edges, ready)
        assert (run.active, run.complete) == (len(self.steps_in(*ACTIVE)), len(complete))

    @invariant()
    def no_step_fails_more_often_than_its_policy_allows(self) -> None:
        for planned, known in zip(self.run.plan.steps, self.run.steps, strict=True):
            assert known.failures <= planned.retry.max_attempts
            assert known.lost <= self.story.rules.lost_leases + 1
            assert planned.retry.max_attempts or not known.attempt

    @invariant()
    def every_stream_counts_from_one_and_every_event_has_its_own_id(self) -> None:
        versions: dict[UUID, list[int]] = {}
        for event in self.log:
            versions.setdefault(event.originator_id, []).append(event.originator_version)

        assert all(found == list(range(1, len(found) + 1)) for found in versions.values())
        assert len({event.event_id for event in self.log}) == len(self.log)

    @invariant()
    def timers_are_of_steps_that_wait_for_them(self) -> None:
        for number, (kind, _) in self.run.timers.items():
            waiting = {"retry": StepState.WAITING_FOR_RETRY, "timeout": StepState.IN_PROGRESS}
            assert self.run.steps[number].state is waiting[kind]

    def teardown(self) -> None:
        """Whatever happened, it comes to an end, be it that from now on everything goes wrong."""
        if not hasattr(self, "story"):
            return
        for _ in range(8 * len(self.run.steps) + 8):
            self.story.decided()
            for name in self.steps_in(StepState.WAITING_FOR_RETRY):
                self.story.ring(name, after=1e6)
            for name in self.steps_in(StepState.ENQUEUED):
                self.story.begin(name)
            for name in self.steps_in(StepState.IN_PROGRESS):
                getattr(self.story, self.finally_)(name)
        self.story.decided()

        assert self.run.ended
        self.no_step_fails_more_often_than_its_policy_allows()
        self.a_task_is_complete_only_when_all_its_steps_are()
        for given_up in (event for event in self.log if isinstance(event, StepErrored)):
            self.was_given_up_for_a_reason(given_up)

    def was_given_up_for_a_reason(self, event: StepErrored) -> None:
        known = self.run.step(event.step)
        allowed = self.run.plan.steps[self.run.plan.numbers[event.step]].retry.max_attempts
        expected = {
            "never": (allowed, 0),
            "exhausted": (known.failures, allowed),
            "permanent": (known.failures > 0, True),
            "lost_leases": (known.lost, self.story.rules.lost_leases + 1),
        }
        found, should_be = expected[event.reason]
        assert found == should_be, event.reason

    # -- how it is seen

    @property
    def run(self) -> Run:
        return self.story.run

    @property
    def log(self) -> Sequence[TaskEvent]:
        return self.story.log

    def dependencies(self, name: str) -> Sequence[str]:
        return self.run.plan.steps[self.run.plan.numbers[name]].dependencies

    def steps_in(self, *states: StepState) -> list[str]:
        return [
            planned.name
            for planned, known in zip(self.run.plan.steps, self.run.steps, strict=True)
            if known.state in states
        ]

    def one(self, data: st.DataObject, *states: StepState) -> str:
        return data.draw(st.sampled_from(self.steps_in(*states)))


def slots(run: Run) -> dict[str, Any]:
    """Everything that a run knows."""
    return {name: getattr(run, name) for name in Run.__slots__}


def interleaved(events: Sequence[TaskEvent], random: Any) -> list[TaskEvent]:
    """The same events in another order, in which every stream keeps its own."""
    streams: dict[UUID, list[TaskEvent]] = {}
    for event in events:
        streams.setdefault(event.originator_id, []).append(event)
    order = [event.originator_id for event in events]
    random.shuffle(order)
    return [streams[stream].pop(0) for stream in order]


TestTaskMachine = TaskMachine.TestCase
TestTaskMachine.settings = settings(max_examples=100, stateful_step_count=40)


def test_mixing_streams_keeps_each_in_its_order() -> None:
    story = Story(template(step("a"), step("b"))).through("a", "b")

    class Backwards:
        def shuffle(self, order: list[UUID]) -> None:
            order.reverse()

    mixed = interleaved(story.log, Backwards())

    assert mixed != story.log
    for stream in {e.originator_id for e in mixed}:
        own = [e for e in mixed if e.originator_id == stream]
        assert own == [e for e in story.log if e.originator_id == stream]


def test_the_machine_would_notice_a_step_that_runs_too_early() -> None:
    machine = TaskMachine()
    machine.story = Story(template(step("a"), step("b", "a"))).through()
    early = machine.story.log[-1].model_copy(update={"step": "b"})
    assert isinstance(early, StepEvent)
    machine.story.log.append(early)

    with pytest.raises(AssertionError):
        machine.no_step_runs_before_its_parents_completed()
