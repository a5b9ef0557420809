"""The whole task as a machine: whatever workers, clock, operators and coordinator do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flowledger.engine.domain import execution_status_from_counts as from_counts
from flowledger.engine.domain.machine.decide import decide
from flowledger.engine.domain.machine.task_run import ACTIVE, TaskRun, Wait, fold_run
from flowledger.engine.domain.machine.transitions import DONE, STEP_ENDS, StepState, TaskState
from flowledger.engine.domain.templates.compiled_template import ancestors
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.requests import (
    REQUESTS,
    RequestGranted,
    RequestRefused,
    StepRequest,
    TaskCancelRequested,
    TaskFailRequested,
    TaskRequest,
    TaskResolveRequested,
    TaskResumeRequested,
)
from flowledger.engine.events.step import (
    StepCancelled,
    StepCompleted,
    StepCompletedManually,
    StepEnqueued,
    StepFailed,
    StepReset,
    StepResolvedManually,
    StepSkipped,
    StepStarted,
)
from flowledger.engine.events.task import (
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskReopened,
    TaskResolvedManually,
    TaskTimedOut,
)
from support.builders import Story, step, template
from support.strategies import DEADLINES, TIMES, Curious, interleaved, slots, templates

CONTINUES = (StepCompleted, StepCompletedManually, StepResolvedManually)
STEP_ENDED = (*CONTINUES, StepFailed, StepCancelled, StepSkipped)
ENDS = (TaskCompleted, TaskFailed, TaskCancelled, TaskTimedOut, TaskResolvedManually)


class TaskMachine(RuleBasedStateMachine):
    """Facts may pile up before the coordinator looks; timers ring early, late and in vain."""

    @initialize(
        template=templates(),
        lost_leases=st.integers(0, 2),
        finally_=st.sampled_from(["complete", "fail", "hand_back", "lose"]),
        settled_by=st.sampled_from([TaskFailRequested, TaskResolveRequested, TaskCancelRequested]),
        times=st.fixed_dictionaries({"start_at": TIMES, "deadline_at": DEADLINES}),
    )
    def submitted(
        self,
        template: Template,
        lost_leases: int,
        finally_: str,
        settled_by: type[TaskRequest],
        times: dict[str, datetime | None],
    ) -> None:
        self.shut: set[int] = set()
        self.story = Story(
            template, lost_leases=lost_leases, hand_backs=2, admit=self.admit, **times
        )
        self.finally_ = finally_
        self.settled_by = settled_by

    def admit(self, _run: TaskRun, number: int, _now: datetime) -> Wait | None:
        return Wait("slot", "gate") if number in self.shut else None

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
    @rule(data=st.data())
    def worker_notes_how_far_it_is(self, data: st.DataObject) -> None:
        self.story.note(self.one(data, StepState.IN_PROGRESS))

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
        self.story.fire(self.one(data, *StepState), after=seconds)

    @rule(seconds=st.sampled_from([0.0, 1.0, 30.0]))
    def timer_of_the_task_rings(self, seconds: float) -> None:
        self.story.ring_task(after=seconds)

    @rule(kind=st.sampled_from(REQUESTS), data=st.data())
    def operator_asks(self, kind: type[TaskRequest], data: st.DataObject) -> None:
        about_step = issubclass(kind, StepRequest)
        name = data.draw(st.sampled_from([*self.run.plan.numbers, "?"])) if about_step else None
        self.story.ask(kind, name)

    @rule(data=st.data())
    def gate_shuts(self, data: st.DataObject) -> None:
        self.shut.add(data.draw(st.sampled_from(range(len(self.run.steps)))))

    @rule(data=st.data())
    def gate_opens(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(range(len(self.run.steps))))
        self.shut.discard(number)
        self.story.admit(self.run.plan.steps[number].name)

    @rule()
    def coordinator_asks_again(self) -> None:
        self.story.decided()

        assert self.story.decided() == ()
        assert not self.run.requests
        assert not self.run.undecided
        assert self.run.ended or self.waits_for_something()
        if self.run.started:
            blocked = self.run.task.state is TaskState.BLOCKED
            assert self.is_over_in_words() is (self.run.ended or blocked)

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

    @precondition(lambda self: not self.run.needs_decision)
    @rule()
    def a_run_that_asks_for_nothing_is_asked_all_the_same(self) -> None:
        created, *rest = self.log
        curious = Curious(created, self.story.plan)  # type: ignore[arg-type]
        curious.apply_all(rest)
        for number, wait in self.run.waiting.items():
            curious.begin_wait(number, wait)

        assert decide(curious, created.event_id, self.story.now, self.story.rules) == ()

    # -- what always holds

    @invariant()
    def no_step_runs_before_its_parents_let_it(self) -> None:
        satisfied: set[str] = set()
        for event in self.log:
            if isinstance(event, (StepEnqueued, StepStarted, StepFailed)):
                assert set(self.planned(event.step).dependencies) <= satisfied
            if isinstance(event, CONTINUES) or self.is_dispensable(event):
                satisfied.add(event.step)  # type: ignore[attr-defined]

    @invariant()
    def no_step_is_queued_before_all_that_it_ever_depends_on_has_ended(self) -> None:
        ended: set[str] = set()
        for event in self.log:
            if isinstance(event, StepEnqueued):
                assert ancestors(self.run.plan, event.step) <= ended
            elif isinstance(event, (*STEP_ENDED, StepReset)):
                (ended.discard if isinstance(event, StepReset) else ended.add)(event.step)

    @invariant()
    def no_step_completes_twice(self) -> None:
        done = Counter(e.step for e in self.log if isinstance(e, CONTINUES))

        assert all(count == 1 for count in done.values())

    @invariant()
    def a_task_ends_once_unless_it_was_opened_again(self) -> None:
        ended = False
        for event in self.log:
            if isinstance(event, ENDS):
                assert not ended or isinstance(event, TaskResolvedManually)
                ended = True
            elif isinstance(event, TaskReopened):
                ended = False

        assert self.run.ended is ended

    @invariant()
    def of_a_task_that_ended_only_what_was_told_to_stop_goes_on(self) -> None:
        if self.run.ended:
            for number, known in enumerate(self.run.steps):
                assert known.state not in ACTIVE or known.cancelling or number in self.run.undecided

    @invariant()
    def a_task_ends_as_its_steps_did(self) -> None:
        state, run = self.run.task.state, self.run
        if state is TaskState.COMPLETE:
            assert (run.active, run.errors, run.cancelled, run.ready) == (0, 0, 0, set())
        if state is TaskState.ERROR:
            assert run.errors or any(isinstance(event, TaskTimedOut) for event in self.log)
        if state is TaskState.BLOCKED:
            assert run.errors
            assert run.plan.template.on_failure == "block"

    @invariant()
    def counters_equal_a_recount(self) -> None:
        run = self.run
        satisfied = {
            p.name
            for p in run.plan.steps
            if self.satisfies(p.name) and all(map(self.has_ended, p.dependencies))
        }
        open_edges = [len(set(s.dependencies) - satisfied) for s in run.plan.steps]
        ready = {
            number
            for number, count in enumerate(open_edges)
            if not count and run.steps[number].state is StepState.PENDING
        }

        assert (run.open, slots(run)["ready"]) == (open_edges, ready)
        assert not run.ready & run.waiting.keys()
        assert run.active == len(self.steps_in(*ACTIVE))
        assert run.busy == len(self.steps_in(StepState.ENQUEUED, StepState.IN_PROGRESS))
        assert run.errors == len(self.steps_in(StepState.ERROR))
        assert run.cancelled == len(self.steps_in(StepState.CANCELLED))

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
    def every_request_is_answered_once_or_open(self) -> None:
        asked = {e.originator_id for e in self.log if isinstance(e, TaskRequest)}
        answered = [e.request for e in self.log if isinstance(e, (RequestGranted, RequestRefused))]

        assert len(set(answered)) == len(answered)
        assert asked - set(answered) == self.run.requests.keys()

    @invariant()
    def timers_are_of_steps_that_wait_for_them(self) -> None:
        waiting = {
            "retry": StepState.WAITING_FOR_RETRY,
            "timeout": StepState.IN_PROGRESS,
            "start_timeout": StepState.ENQUEUED,
        }
        for number, (kind, _) in self.run.timers.items():
            assert self.run.steps[number].state is waiting[kind]

    def teardown(self) -> None:
        """Whatever happened, it comes to an end, be it that from now on everything goes wrong."""
        if not hasattr(self, "story"):
            return
        self.shut.clear()
        for _ in range(8 * len(self.run.steps) + 8):
            self.story.decided()
            self.operators_answer()
            for name in self.run.plan.numbers:
                self.story.admit(name)
            self.story.ring_task(after=10)
            for name in self.steps_in(StepState.WAITING_FOR_RETRY):
                self.story.fire(name, after=1e6)
            for name in self.steps_in(StepState.ENQUEUED):
                self.story.begin(name)
            for name in self.steps_in(StepState.IN_PROGRESS):
                getattr(self.story, self.finally_)(name)
        self.story.decided()

        assert self.run.ended
        assert not self.run.active
        self.no_step_fails_more_often_than_its_policy_allows()
        self.a_task_ends_as_its_steps_did()
        last = {event.step: event for event in self.log if isinstance(event, StepFailed)}
        for name in self.steps_in(StepState.ERROR):
            self.was_given_up_for_a_reason(last[name])

    def operators_answer(self) -> None:
        if self.run.task.paused:
            self.story.asked(TaskResumeRequested)
        if self.run.task.state is TaskState.BLOCKED:
            self.story.asked(self.settled_by)

    def was_given_up_for_a_reason(self, event: StepFailed) -> None:
        known, planned = self.run.step(event.step), self.planned(event.step)
        allowed = planned.retry.max_attempts
        returned = max(0, known.returned - self.story.rules.hand_backs)
        expected = {
            "never": (allowed, 0),
            "exhausted": (known.failures + returned, allowed),
            "permanent": (known.failures > 0, True),
            "lost_leases": (known.lost, self.story.rules.lost_leases + 1),
            "start_timeout": (planned.start_timeout_seconds is None, False),
        }
        found, should_be = expected[event.reason]
        assert found == should_be, event.reason

    # -- how it is seen

    @property
    def run(self) -> TaskRun:
        return self.story.run

    @property
    def log(self) -> Sequence[TaskEvent]:
        return self.story.log

    def planned(self, name: str) -> Any:
        return self.run.plan.steps[self.run.plan.numbers[name]]

    def is_dispensable(self, event: TaskEvent) -> bool:
        return isinstance(event, StepSkipped) and self.satisfies(event.step)

    def satisfies(self, name: str) -> bool:
        state = self.run.step(name).state
        skipped = state is StepState.SKIPPED and self.planned(name).when_skipped == "continue"
        return skipped or state in DONE

    def has_ended(self, name: str) -> bool:
        """The step and all that it depends on: an operator may have settled it before these."""
        ended = self.run.step(name).state in STEP_ENDS
        return ended and all(map(self.has_ended, self.planned(name).dependencies))

    def waits_for_something(self) -> bool:
        run = self.run
        by_time = run.active or not run.started
        return bool(
            by_time or run.waiting or run.task.paused or run.task.state is TaskState.BLOCKED
        )

    def is_over_in_words(self) -> bool:
        status = from_counts.summary_of(from_counts.counts_of(self.run)).execution_status
        return status in {"all_complete", "blocked_by_failures"}

    def steps_in(self, *states: StepState) -> list[str]:
        return [
            planned.name
            for planned, known in zip(self.run.plan.steps, self.run.steps, strict=True)
            if known.state in states
        ]

    def one(self, data: st.DataObject, *states: StepState) -> str:
        return data.draw(st.sampled_from(self.steps_in(*states)))


TestTaskMachine = TaskMachine.TestCase
TestTaskMachine.settings = settings(stateful_step_count=40)


def test_the_machine_would_notice_a_step_that_runs_too_early() -> None:
    machine = TaskMachine()
    machine.story = Story(template(step("a"), step("b", "a"))).through()
    early = machine.story.log[-1].model_copy(update={"step": "b"})
    assert isinstance(early, StepEvent)
    machine.story.log.append(early)

    with pytest.raises(AssertionError):
        machine.no_step_runs_before_its_parents_let_it()
