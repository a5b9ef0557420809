"""A history folds into frames, and the rows that a coordinator writes are its fold."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.domain.templates.compiled_template import Plan, compile_plan
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.domain.verify.replay_and_compare_rows import (
    Difference,
    Replay,
    Row,
    differences,
    visible_at,
)
from flowledger.engine.errors import IllegalTransition
from flowledger.engine.events.base import TaskEvent
from flowledger.engine.events.registry import FACTS
from flowledger.engine.events.step import StepCompleted, StepStarted
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch
from support.builders import NOON, Story, created, diamond, event, step, template

LATER = Retry(backoff="fixed", base_seconds=5, jitter="none")


def placed(events: Sequence[TaskEvent]) -> list[tuple[int, TaskEvent]]:
    return list(enumerate(events, start=1))


def rows_of(story: Story) -> tuple[Row, dict[str, Row]]:
    """The rows that the coordinator would store now, named like columns."""
    batch = CommitBatch()
    for one in story.log:
        batch.folded(story.run, one)
    commit = batch.commit(1, 0, len(story.log), NOON)
    (task,) = commit.tasks
    steps = {
        row["step"]: {**row, "stream_version": row["version"]}
        for row in map(as_mapping, commit.steps)
    }
    named = as_mapping(task)
    return (
        {
            "fairness_key": None,
            **named,
            "correlation_id": named["correlation"],
            "ended": named["ended_at"] is not None,
        },
        steps,
    )


def as_mapping(row: object) -> dict[str, object]:
    return dict(row) if isinstance(row, dict) else dict(row._asdict())  # type: ignore[attr-defined]


def folded(story: Story) -> Replay:
    replay = Replay(story.plan)
    list(replay.frames(placed(story.log)))
    return replay


def plain(*, retry: Retry | None = None) -> Story:
    return Story(diamond(**({"retry": retry} if retry else {})))


def test_a_frame_tells_the_state_after_each_event() -> None:
    story = Story(template(step("a"))).through("a")

    frames = list(Replay(story.plan).frames(placed(story.log)))

    assert [(type(frame.event).__name__, frame.state.value) for frame in frames] == [
        ("TaskCreated", "pending"),
        ("TaskStarted", "in_progress"),
        ("StepEnqueued", "enqueued"),
        ("StepStarted", "in_progress"),
        ("StepCompleted", "complete"),
        ("TaskCompleted", "complete"),
    ]
    assert [frame.position for frame in frames] == [1, 2, 3, 4, 5, 6]


def test_a_frame_counts_all_steps_by_state() -> None:
    story = plain().through("start")
    story.begin("left")

    *_, last = Replay(story.plan).frames(placed(story.log))

    assert {state: count for state, count in last.steps.items() if count} == {
        StepState.COMPLETE: 1,
        StepState.IN_PROGRESS: 1,
        StepState.ENQUEUED: 1,
        StepState.PENDING: 1,
    }


def test_an_illegal_event_is_told_and_what_stood_before_it_is_kept() -> None:
    story = Story(template(step("a"))).through("a")
    replay = Replay(story.plan)
    again = event(StepStarted, 4, step="a", worker=created(story.plan).event_id)

    with pytest.raises(IllegalTransition):
        list(replay.frames(placed([*story.log, again])))

    assert replay.run is not None
    assert replay.run.ended


@pytest.mark.parametrize("kind", [StepCompleted, TaskCreated])
def test_a_history_of_another_task_is_refused(kind: type[TaskEvent]) -> None:
    plan: Plan = compile_plan(diamond())
    stranger = event(StepCompleted, 1, step="refund", result=None)
    history = [stranger] if kind is StepCompleted else [created(plan), stranger]

    with pytest.raises(LookupError):
        list(Replay(plan).frames(placed(history)))


STORIES = {
    "not begun": plain,
    "half done": lambda: plain().through("start", "left"),
    "done": lambda: plain().through("start", "left", "right", "end"),
    "failed": lambda: failed(Retry(max_attempts=1)),
    "waiting": lambda: failed(LATER),
}


def failed(retry: Retry) -> Story:
    story = plain(retry=retry)
    story.decided()
    story.begin("start")
    story.fail("start")
    story.decided()
    return story


@pytest.mark.parametrize("case", STORIES)
def test_the_rows_of_a_coordinator_are_the_fold_of_its_log(case: str) -> None:
    story = STORIES[case]()
    task, steps = rows_of(story)

    assert differences(folded(story).run, task, steps) == []


def test_every_field_that_differs_is_named() -> None:
    story = failed(LATER)
    task, steps = rows_of(story)
    planted = {
        **steps,
        "start": {**steps["start"], "state": "complete", "attempt": 2, "due_at": None},
        "end": {"state": "enqueued"},
    }

    found = differences(folded(story).run, {**task, "version": "2"}, planted)

    assert [(one.subject, one.field, one.row) for one in found] == [
        ("task", "version", "2"),
        ("step 'start'", "state", "complete"),
        ("step 'start'", "attempt", 2),
        ("step 'start'", "due_at", None),
        ("step 'end'", "state", "enqueued"),
    ]


def test_a_difference_reads_as_a_sentence() -> None:
    text = str(Difference("step 'ship'", "attempt", 1, 4))

    assert text == "step 'ship': attempt is 4 in the row, and 1 by the log"


def test_what_no_coordinator_has_met_has_no_rows() -> None:
    assert differences(None, None, {}) == []
    assert [one.subject for one in differences(None, {"state": "pending"}, {})] == ["task"]


def test_rows_know_facts_up_to_the_position_and_every_decision() -> None:
    story = Story(template(step("a"))).through("a")
    history = placed(story.log)

    seen = visible_at(history, 3)

    assert [one for one in history if one not in seen] == [
        (place, one) for place, one in history if place > 3 and isinstance(one, FACTS)
    ]


def test_a_creation_that_the_coordinator_appended_is_known_wherever_it_stands() -> None:
    plan = compile_plan(diamond())
    own, another = created(plan, submission=3), created(plan)

    assert visible_at([(9, own)], 5) == [(9, own)]
    assert visible_at([(9, another)], 5) == []
