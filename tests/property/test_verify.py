"""Whatever happens to a task, nothing differs; and no event of it can be taken away unnoticed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from flowledger.engine.domain.deterministic_ids import EPOCH, step_id
from flowledger.engine.domain.machine.task_run import BUSY
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.domain.templates.compiled_template import Plan
from flowledger.engine.domain.verify.log import LogEntry
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.domain.verify.task import StoredTask, verify_task
from flowledger.engine.events.base import TaskEvent
from flowledger.engine.events.requests import (
    StepResetRequested,
    StepSkipRequested,
    TaskCancelRequested,
    TaskPauseRequested,
    TaskResumeRequested,
)
from flowledger.engine.events.step import StepStarted
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch
from support.builders import NOON, TASK, Story
from support.examples import examples
from support.strategies import templates

REQUESTS = [TaskPauseRequested, TaskResumeRequested, TaskCancelRequested]
ABOUT_STEPS = [StepResetRequested, StepSkipRequested]


def moves(story: Story) -> list[Callable[[], Any]]:
    """What may happen next."""
    found: list[Callable[[], Any]] = [lambda kind=kind: story.asked(kind) for kind in REQUESTS]
    for plan in story.plan.steps:
        name, step = plan.name, story.run.step(plan.name)
        found += [lambda kind=kind, name=name: story.asked(kind, name) for kind in ABOUT_STEPS]
        if step.state is StepState.ENQUEUED:
            found.append(lambda name=name: story.begin(name))
        if step.state is StepState.IN_PROGRESS:
            ends = [story.complete, story.fail, story.hand_back, story.note, story.lose]
            found += [lambda end=end, name=name: end(name) for end in ends]
        if story.plan.numbers[name] in story.run.timers:
            found.append(lambda name=name: story.fire(name, after=1_000_000))
    return found


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A task that has come some way, with everything decided."""
    story = Story(draw(templates()))
    story.decided()
    for _ in range(draw(st.integers(0, 12))):
        draw(st.sampled_from(moves(story)))()
        story.decided()
    return story


def rows_of(story: Story) -> dict[str, list[Any]]:
    """All rows that there would be now, by table."""
    batch = CommitBatch()
    for event in story.log:
        batch.folded(story.run, event)
    commit = batch.commit(1, 0, len(story.log), NOON)
    (task,) = commit.tasks
    return {
        "task": [{"fairness_key": None, **task, "correlation_id": task["correlation"]}],
        "step": [{**row, "stream_version": row["version"]} for row in commit.steps],
        "timer": list(commit.timers),
        "queue": list(queue_rows(story)),
    }


def queue_rows(story: Story) -> Iterable[dict[str, Any]]:
    run = story.run
    workers = {event.step: event.worker for event in story.log if isinstance(event, StepStarted)}
    for plan, step in zip(story.plan.steps, run.steps, strict=True):
        runs = step.state is StepState.IN_PROGRESS
        if step.state in BUSY:
            yield {
                "step_id": step_id(TASK, plan.name),
                "task_id": TASK,
                "template_id": story.plan.template_id,
                "step": plan.name,
                "stream_version": step.version - runs,
                "attempt": step.attempt + (not runs),
                "resets": step.resets,
                "cancelling": step.cancelling,
                "worker_id": workers[plan.name] if runs else None,
                "correlation_id": run.correlation_id,
                "sort_key": (story.now - EPOCH).total_seconds(),
                "exclusive": False,
            }


def verified(story: Story, log: Iterable[tuple[int, TaskEvent]]) -> list[Difference]:
    entries = [
        LogEntry(position, event.originator_id, event.originator_version, TASK, event)
        for position, event in log
    ]
    plans: dict[UUID, Plan] = {story.plan.template_id: story.plan}
    evidence = StoredTask(TASK, len(story.log), story.now, entries, rows_of(story), {})
    return verify_task(evidence, plans.__getitem__)


@given(stories())
@settings(max_examples=examples(75))
def test_nothing_differs_whatever_happened(story: Story) -> None:
    assert [str(found) for found in verified(story, enumerate(story.log, start=1))] == []


@given(stories(), st.data())
@settings(max_examples=examples(75))
def test_no_event_is_missing_unnoticed(story: Story, data: st.DataObject) -> None:
    log = list(enumerate(story.log, start=1))
    gone = data.draw(st.sampled_from(log))

    found = verified(story, [placed for placed in log if placed != gone])

    assert found, gone[1]
    assert {difference.task_id for difference in found} == {TASK}
