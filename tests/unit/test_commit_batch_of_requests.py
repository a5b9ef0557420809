"""What one transaction stores of an operator's word, a delayed start, a deadline, a priority."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.events.requests import (
    StepResetRequested,
    TaskCancelRequested,
    TaskPauseRequested,
    TaskRequest,
    TaskResetRequested,
    TaskResumeRequested,
)
from flowledger.engine.ports.coordinator import Commit
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch
from support.builders import NOON, TASK, Story, step, template
from support.operator_stories import begun, story

LATER = NOON + timedelta(hours=1)


def stored(found: Story, since: int, priority_ageing_seconds: float = 0.0) -> Commit:
    """What one batch makes of the events from that one on."""
    batch = CommitBatch(priority_ageing_seconds=priority_ageing_seconds)
    for event in found.log[since:]:
        if event.causation_id is None:
            batch.folded(found.run, event)
        else:
            batch.decided(found.run, [event])
    return batch.commit(3, 10, 20, found.now)


def asked(found: Story, *kinds: type[TaskRequest]) -> Commit:
    """What one batch stores when that was asked for."""
    since = len(found.log)
    for kind in kinds:
        found.asked(kind)
    return stored(found, since)


def test_a_cancelled_task_drops_what_is_queued_and_signals_what_runs() -> None:
    commit = asked(begun("other"), TaskCancelRequested)

    assert commit.dropped == [step_id(TASK, "a")]
    assert commit.signalled == [step_id(TASK, "other")]
    assert [(row["state"], row["ended_at"]) for row in commit.tasks] == [("cancelled", NOON)]
    assert [(row["step"], row["state"]) for row in commit.steps] == [
        ("a", "cancelled"),
        ("other", "in_progress"),
    ]
    assert commit.answers


def test_a_step_that_is_queued_and_cancelled_in_one_batch_is_not_queued() -> None:
    found = story()
    found.decided()
    found.asked(TaskCancelRequested)

    commit = stored(found, 1)

    assert commit.queued == []
    assert [row["state"] for row in commit.steps] == ["cancelled", "cancelled"]


@pytest.mark.parametrize(
    ("kinds", "paused", "queued"),
    [
        pytest.param((TaskPauseRequested,), True, [], id="paused"),
        pytest.param((TaskPauseRequested, TaskResumeRequested), False, ["a"], id="and resumed"),
    ],
)
def test_a_paused_task_leaves_the_queue(
    kinds: tuple[type[TaskRequest], ...], queued: list[str], *, paused: bool
) -> None:
    commit = asked(begun("other"), *kinds)

    assert commit.dropped == [step_id(TASK, "a")]
    assert [row["step"] for row in commit.queued] == queued
    assert [row["paused"] for row in commit.tasks] == [paused]


def test_a_refused_request_is_an_answer_and_nothing_else() -> None:
    commit = asked(begun("a", "other"), TaskResetRequested)

    assert commit.answers
    assert len(commit.events) == 1
    assert (commit.tasks, commit.steps, commit.queued, commit.dropped) == ([], [], [], [])


def test_decisions_that_answer_nobody_are_no_answers() -> None:
    found = story()
    found.decided()

    assert not stored(found, 1).answers


def test_a_step_that_was_reset_is_queued_as_its_first_attempt() -> None:
    found = begun("a", "other")
    found.fail("a", retryable=False)
    found.decided()
    since = len(found.log)
    found.asked(StepResetRequested, "a")

    (row,) = stored(found, since).queued

    assert (row["attempt"], row["resets"], row["version"]) == (1, 1, 6)


def test_a_delayed_start_and_then_the_deadline_are_the_timer_of_the_task() -> None:
    found = Story(template(step("a")), start_at=LATER, deadline_at=LATER + timedelta(hours=1))
    found.decided()
    (start,) = stored(found, 0).timers
    since = len(found.log)
    found.ring_task(after=3_600)
    (deadline,) = stored(found, since).timers

    assert (start["step_id"], start["step"], start["kind"], start["due_at"]) == (
        TASK,
        "",
        "start",
        LATER,
    )
    assert (deadline["step_id"], deadline["kind"]) == (TASK, "deadline")


def test_a_task_that_ends_before_its_deadline_leaves_no_timer() -> None:
    found = Story(template(step("a")), deadline_at=LATER)
    found.decided()
    since = len(found.log)
    found.through("a")

    commit = stored(found, since)

    assert commit.timers == []
    assert TASK in commit.untimed


def test_a_priority_is_worth_as_many_seconds_in_the_queue_as_ageing_says() -> None:
    found = Story(template(step("a")), priority=3)
    found.decided()

    (row,) = stored(found, 0, priority_ageing_seconds=60.0).queued

    assert row["sort_key"] == NOON.timestamp() - 180
