"""Whatever happened to a task, SQL says of its rows what the fold says of its events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowledger.engine.domain.execution_status_from_counts import counts_of, summary_of
from flowledger.engine.domain.machine.task_run import TaskRun, Wait
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.domain.templates.compiled_template import ancestors
from flowledger.engine.events.requests import REQUESTS, StepRequest
from support.builders import Story
from support.examples import examples
from support.sql_calls import Connection, call, call_public, new_id, now
from support.stored_tasks import by_step, context, readiness, store, submitted
from support.strategies import TIMES, templates

FEW, MANY = examples(30), examples(100)
VERSIONS = count(1)  # one database sees them all
played = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


class Played:
    """A story to which anything may happen; the coordinator looks now and then."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.shut: set[int] = set()
        drawn = data.draw(templates()).model_copy(update={"version": str(next(VERSIONS))})
        self.story = Story(drawn, admit=self.admit, task_id=new_id(), start_at=data.draw(TIMES))

    def admit(self, _run: TaskRun, number: int, _now: datetime) -> Wait | None:
        return Wait("slot", "gate") if number in self.shut else None

    def go_on(self) -> None:
        """A few things happen, and the coordinator has looked at the end."""
        for _ in range(self.data.draw(st.integers(0, 30))):
            self.data.draw(st.sampled_from(THINGS))(self)
        self.story.decided()

    def one(self, *states: StepState) -> str | None:
        """A step in one of these states."""
        run = self.story.run
        known = zip(run.plan.steps, run.steps, strict=True)
        names = [planned.name for planned, step in known if step.state in states]
        return self.data.draw(st.sampled_from(names)) if names else None

    def report(self, kind: Callable[[str], object], *states: StepState) -> None:
        name = self.one(*states)
        if name is not None:
            kind(name)

    def look(self) -> None:
        self.story.decided()

    def start(self) -> None:
        self.report(self.story.begin, StepState.ENQUEUED)

    def complete(self) -> None:
        self.report(self.story.complete, StepState.IN_PROGRESS)

    def fail(self) -> None:
        retryable = self.data.draw(st.booleans())
        self.report(lambda name: self.story.fail(name, retryable=retryable), StepState.IN_PROGRESS)

    def lose(self) -> None:
        self.report(self.story.lose, StepState.IN_PROGRESS)

    def notify(self) -> None:
        after = self.data.draw(st.sampled_from([0.0, 0.4, 1.0, 30.0]))
        self.report(lambda name: self.story.fire(name, after=after), *StepState)

    def ring_task(self) -> None:
        self.story.ring_task(after=self.data.draw(st.sampled_from([0.0, 1.0])))

    def ask(self) -> None:
        kind = self.data.draw(st.sampled_from(REQUESTS))
        self.story.ask(kind, self.one(*StepState) if issubclass(kind, StepRequest) else None)

    def turn_gate(self) -> None:
        number = self.data.draw(st.sampled_from(range(len(self.story.run.steps))))
        self.shut ^= {number}
        if number not in self.shut:
            self.story.admit(self.story.run.plan.steps[number].name)


THINGS = [
    *(Played.start, Played.start, Played.complete, Played.complete, Played.look, Played.look),
    *(Played.fail, Played.lose, Played.notify, Played.ring_task, Played.ask, Played.turn_gate),
]


def by_the_fold(run: TaskRun, moment: datetime) -> dict[str, dict[str, Any]]:
    """What readiness is by the run alone."""
    return {
        planned.name: {
            "task_id": run.task_id,
            "step": planned.name,
            "current_state": run.steps[number].state,
            "dependencies_satisfied": not run.open[number],
            "retry_eligible": may_run_again(run, number),
            "ready_for_execution": is_ready(run, number, moment),
            "last_failure_at": None,
            "next_retry_at": due(run, number),
            "total_parents": len(run.plan.parents[number]),
            "completed_parents": len(run.plan.parents[number]) - run.open[number],
            "attempts": run.steps[number].attempt,
            "max_attempts": planned.retry.max_attempts,
        }
        for number, planned in enumerate(run.plan.steps)
    }


def due(run: TaskRun, number: int) -> datetime | None:
    kind, moment = run.timers.get(number, ("", None))
    return moment if kind == "retry" else None


def is_ready(run: TaskRun, number: int, moment: datetime) -> bool:
    if run.ended or run.task.paused or not run.started or number in run.waiting:
        return False
    woken_by = due(run, number)
    return number in run.ready or (woken_by is not None and woken_by <= moment)


def may_run_again(run: TaskRun, number: int) -> bool:
    step, allowed = run.steps[number], run.plan.steps[number].retry.max_attempts
    return {
        StepState.PENDING: allowed > 0,
        StepState.ENQUEUED: True,
        StepState.IN_PROGRESS: step.attempt < allowed,
        StepState.WAITING_FOR_RETRY: due(run, number) is not None,
    }.get(step.state, False)


def at(connection: Connection, moment: datetime) -> None:
    """Set the engine's clock."""
    connection.execute(
        "update flowledger.clock_offset set shift = %s - clock_timestamp()", (moment,)
    )


def rings_between(run: TaskRun, first: datetime, last: datetime) -> bool:
    return any(first < moment <= last for _, moment in run.timers.values())


@settings(played, max_examples=MANY)
@given(data=st.data())
def test_readiness_is_what_the_fold_says(connection: Connection, data: st.DataObject) -> None:
    told = Played(data)
    told.go_on()
    run = told.story.run
    task = store(connection, run)
    at(connection, told.story.now)

    first = now(connection)
    found = readiness(connection, task)

    if not rings_between(run, first, now(connection)):
        assert found == by_the_fold(run, first)


@settings(played, max_examples=MANY)
@given(data=st.data())
def test_counts_and_words_are_what_the_fold_says(
    connection: Connection, data: st.DataObject
) -> None:
    told = Played(data)
    told.go_on()
    run = told.story.run
    counts = counts_of(run)

    found = context(connection, store(connection, run))

    assert {name: found[name] for name in COUNTED} == {
        name: counts.of(state) for name, state in COUNTED.items()
    }
    assert found["total_steps"] == len(run.steps)
    kept = (0, 0) if run.ended else (counts.ready, counts.waiting)
    assert (found["ready_steps"], found["waiting_steps"]) == kept
    assert {name: found[name] for name in WORDS} == said(counts_of(run))
    assert (found["state"], found["template_id"]) == (run.task.state, str(run.plan.template_id))


COUNTED: Mapping[str, StepState] = {
    "pending_steps": StepState.PENDING,
    "enqueued_steps": StepState.ENQUEUED,
    "in_progress_steps": StepState.IN_PROGRESS,
    "waiting_for_retry_steps": StepState.WAITING_FOR_RETRY,
    "completed_steps": StepState.COMPLETE,
    "failed_steps": StepState.ERROR,
    "cancelled_steps": StepState.CANCELLED,
    "skipped_steps": StepState.SKIPPED,
    "resolved_steps": StepState.RESOLVED_MANUALLY,
}
WORDS = ("execution_status", "recommended_action", "health_status", "completion_percentage")


def said(counts: Any) -> dict[str, Any]:
    summary = summary_of(counts)
    return {name: getattr(summary, name) for name in WORDS}


@settings(played, max_examples=FEW)
@given(data=st.data())
def test_a_step_looked_at_alone_stands_where_it_stands_among_the_others(
    connection: Connection, data: st.DataObject
) -> None:
    told = Played(data)
    told.go_on()
    task = store(connection, told.story.run)
    at(connection, told.story.now)
    names = list(told.story.run.plan.numbers)

    asked = data.draw(st.lists(st.sampled_from([*names, "?"])))
    everything = readiness(connection, task)

    if not rings_between(told.story.run, told.story.now, now(connection)):
        assert readiness(connection, task, asked) == {
            name: everything[name] for name in names if name in asked
        }


@settings(played, max_examples=FEW)
@given(data=st.data())
def test_several_tasks_are_told_as_each_of_them_is(
    connection: Connection, data: st.DataObject
) -> None:
    stories = [Played(data) for _ in range(data.draw(st.integers(0, 3)))]
    for told in stories:
        told.go_on()
    tasks = [store(connection, told.story.run) for told in stories]
    asked = [*tasks, submitted(connection)]
    at(connection, max((told.story.now for told in stories), default=now(connection)))

    rows = call_public(connection, "step_readiness_batch", asked)
    contexts = call_public(connection, "task_execution_contexts", asked)

    assert contexts == [row for t in asked for row in call(connection, "task_execution_context", t)]
    if not any(rings_between(t.story.run, t.story.now, now(connection)) for t in stories):
        assert rows == [row for task in asked for row in call(connection, "step_readiness", task)]
    assert by_step(rows).keys() == {n for t in stories for n in t.story.run.plan.numbers}


@settings(played, max_examples=FEW)
@given(data=st.data())
def test_ancestors_are_those_of_the_plan_at_the_length_of_the_shortest_way(
    connection: Connection, data: st.DataObject
) -> None:
    told = Played(data)
    told.go_on()
    plan = told.story.plan
    task = store(connection, told.story.run)
    name = data.draw(st.sampled_from(list(plan.numbers)))

    rows = call_public(connection, "transitive_dependencies", task, name)

    distances = {step: distance for step, distance, _, _ in rows}
    assert distances.keys() == ancestors(plan, name)
    parents = {step.name: step.dependencies for step in plan.steps}
    for step, distance in distances.items():
        below = [0 if n == name else distances[n] for n in (*distances, name) if step in parents[n]]
        assert distance == min(below) + 1
    for step, _, state, has_result in rows:
        known = told.story.run.step(step).state
        assert (state, has_result) == (known, known is StepState.COMPLETE)


@settings(played, max_examples=FEW)
@given(data=st.data())
def test_a_level_is_one_more_than_the_highest_of_the_dependencies(
    connection: Connection, data: st.DataObject
) -> None:
    told = Played(data)

    levels = dict(call_public(connection, "dependency_levels", store(connection, told.story.run)))

    for step in told.story.plan.steps:
        above = [levels[name] for name in step.dependencies]
        assert levels[step.name] == max(above, default=-1) + 1
