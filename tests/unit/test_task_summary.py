"""The derived words: what is to do, what should be done, whether anything is wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from flowledger.engine.domain.execution_status_from_counts import (
    ACTIONS,
    Counts,
    ExecutionStatus,
    HealthStatus,
    RecommendedAction,
    counts_of,
    summary_of,
)
from flowledger.engine.domain.machine.task_run import TaskRun, Wait
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.events.requests import (
    StepCancelRequested,
    StepSkipRequested,
    TaskPauseRequested,
    TaskResolveRequested,
    TaskResumeRequested,
)
from support.builders import NOON, Story, step, template
from support.operator_stories import after, begun, done, failed, retrying, story


def finished_but_one() -> Story:
    """Every step is complete but one, which was cancelled."""
    return after(story().through("a"), StepCancelRequested, "b").through("other")


def given_up_with_attempts_left() -> Story:
    """The policy would allow more attempts, but the error was not retryable."""
    found = Story(template(step("a"), step("b", "a")))
    found.decided()
    found.begin("a")
    found.fail("a", retryable=False)
    found.decided()
    return found


def shut(_run: TaskRun, _number: int, _now: datetime) -> Wait:
    return Wait("slot", "key")


def held() -> Story:
    found = Story(template(step("a")), admit=shut)
    found.decided()
    return found


@pytest.mark.parametrize(
    ("given", "status", "health", "percentage"),
    [
        pytest.param(story, "waiting_for_dependencies", "healthy", 0, id="not taken on yet"),
        pytest.param(done, "has_ready_steps", "healthy", 0, id="queued"),
        pytest.param(lambda: begun("a", "other"), "processing", "healthy", 0, id="running"),
        pytest.param(
            lambda: after(done("other"), TaskPauseRequested),
            "waiting_for_dependencies",
            "healthy",
            33.33,
            id="paused",
        ),
        pytest.param(
            lambda: after(done("a"), StepSkipRequested, "b"),
            "has_ready_steps",
            "healthy",
            66.66,
            id="one skipped",
        ),
        pytest.param(held, "waiting_for_dependencies", "healthy", 0, id="held by a limit"),
        pytest.param(
            lambda: retrying().through("other"),
            "waiting_for_dependencies",
            "recovering",
            33.33,
            id="waiting for a retry",
        ),
        pytest.param(failed, "processing", "blocked", 0, id="failed, and another branch runs"),
        pytest.param(
            lambda: failed(on_failure="block", beside=False),
            "blocked_by_failures",
            "blocked",
            33.33,
            id="blocked",
        ),
        pytest.param(
            lambda: failed(beside=False), "blocked_by_failures", "blocked", 33.33, id="in error"
        ),
        pytest.param(
            given_up_with_attempts_left,
            "blocked_by_failures",
            "blocked",
            0,
            id="given up with attempts left",
        ),
        pytest.param(
            finished_but_one,
            "all_complete",
            "healthy",
            66.66,
            id="one cancelled, the others not",
        ),
        pytest.param(
            lambda: after(failed(beside=False), TaskResolveRequested),
            "all_complete",
            "healthy",
            33.33,
            id="resolved by an operator",
        ),
        pytest.param(
            lambda: done("a", "b", "other"), "all_complete", "healthy", 100, id="complete"
        ),
    ],
)
def test_the_words_of_a_task(given: Any, status: str, health: str, percentage: float) -> None:
    said = summary_of(counts_of(given().run))

    assert (said.execution_status, said.health_status) == (status, health)
    assert said.completion_percentage == percentage


def test_a_task_that_no_coordinator_has_met_is_unknown() -> None:
    said = summary_of(Counts(task=TaskState.SUBMITTED))

    assert (said.execution_status, said.health_status, said.completion_percentage) == (
        "waiting_for_dependencies",
        "unknown",
        0.0,
    )


def delayed() -> Story:
    found = Story(template(step("a")), start_at=NOON + timedelta(hours=1))
    found.decided()
    return found


@pytest.mark.parametrize(
    ("given", "action"),
    [
        pytest.param(lambda: after(story(), TaskPauseRequested), "resume_task", id="before it ran"),
        pytest.param(lambda: after(done("other"), TaskPauseRequested), "resume_task", id="held"),
        pytest.param(lambda: after(begun("a"), TaskPauseRequested), "resume_task", id="running"),
        pytest.param(lambda: after(retrying(), TaskPauseRequested), "resume_task", id="retrying"),
        pytest.param(lambda: after(delayed(), TaskPauseRequested), "resume_task", id="delayed"),
        pytest.param(
            lambda: after(failed(on_failure="block", beside=False), TaskPauseRequested),
            "handle_failures",
            id="blocked",
        ),
        pytest.param(
            lambda: after(after(delayed(), TaskPauseRequested), TaskResumeRequested),
            "wait_for_start",
            id="delayed, paused and resumed",
        ),
        pytest.param(delayed, "wait_for_start", id="delayed start"),
        pytest.param(held, "wait_for_dependencies", id="held by a limit"),
    ],
)
def test_what_should_be_done_about_a_task_that_is_kept_back(given: Any, action: str) -> None:
    assert summary_of(counts_of(given().run)).recommended_action == action


def test_each_status_has_its_action() -> None:
    assert ACTIONS.keys() == set(ExecutionStatus)
    kept_back = {RecommendedAction.RESUME_TASK, RecommendedAction.WAIT_FOR_START}
    assert {*ACTIONS.values(), *kept_back} == set(RecommendedAction)


def test_no_word_can_stand_in_anothers_place() -> None:
    statuses, actions, healths = map(set, (ExecutionStatus, RecommendedAction, HealthStatus))

    assert not statuses & actions
    assert not statuses & healths
    assert not actions & healths


def test_a_task_is_not_done_by_a_hundredth() -> None:
    steps = {StepState.COMPLETE: 29_999, StepState.IN_PROGRESS: 1}

    said = summary_of(Counts(task=TaskState.IN_PROGRESS, steps=steps))

    assert said.completion_percentage == 99.99
