"""What follows when operators are granted what they ask for."""

from __future__ import annotations

import pytest

from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.events.requests import (
    RequestGranted,
    StepCancelRequested,
    StepCompleteRequested,
    StepResetRequested,
    StepResolveRequested,
    StepSkipRequested,
    TaskCancelRequested,
    TaskFailRequested,
    TaskPauseRequested,
    TaskRequest,
    TaskResetRequested,
    TaskResumeRequested,
)
from flowledger.engine.events.step import StepCancelled, StepCompletedManually
from flowledger.engine.events.task import TaskFailed
from support.builders import Story, names, step, template
from support.operator_stories import after, begun, failed, retrying, story


def test_what_follows_names_the_request_and_who_asked_for_what_reason() -> None:
    found = begun("other")
    request = found.ask(StepCancelRequested, "a", actor="bea", reason="sold out")

    cancelled, granted = found.decided()

    assert isinstance(cancelled, StepCancelled)
    assert isinstance(granted, RequestGranted)
    assert cancelled.reason == "sold out"
    for decision in (cancelled, granted):
        assert (decision.actor, decision.causation_id) == ("bea", request.event_id)
    assert (granted.originator_id, granted.originator_version) == (request.originator_id, 2)
    assert granted.request == request.originator_id


def test_what_follows_later_is_not_by_the_operator() -> None:
    found = failed()

    *_, enqueued = found.asked(StepResolveRequested, "a")

    assert names([enqueued]) == ["StepEnqueued b"]
    assert enqueued.actor is None


def test_two_requests_are_answered_in_their_order() -> None:
    found = begun("other")
    found.ask(TaskPauseRequested)
    found.ask(TaskResumeRequested)

    assert names(found.decided()) == [
        "TaskPaused",
        "StepDequeued a",
        "RequestGranted",
        "TaskResumed",
        "RequestGranted",
        "StepEnqueued a",
    ]


def test_a_cancelled_task_stops_all_its_steps_at_once() -> None:
    found = begun("other")

    assert names(found.asked(TaskCancelRequested)) == [
        "TaskCancelled",
        "StepCancelled a",
        "StepCancelSignalled other",
        "RequestGranted",
    ]
    assert found.run.step("b").state is StepState.PENDING
    assert found.run.step("other").cancelling


@pytest.mark.parametrize(
    ("ends", "state", "follows"),
    [
        pytest.param("complete", StepState.COMPLETE, [], id="completes all the same"),
        pytest.param("fail", StepState.CANCELLED, ["StepCancelled other"], id="fails"),
        pytest.param(
            "hand_back", StepState.CANCELLED, ["StepCancelled other"], id="is handed back"
        ),
    ],
)
def test_a_step_that_runs_on_after_its_task_was_cancelled(
    ends: str, state: StepState, follows: list[str]
) -> None:
    found = after(begun("other"), TaskCancelRequested)
    found.note("other")
    assert found.decided() == ()

    getattr(found, ends)("other")

    assert names(found.decided()) == follows
    assert found.run.step("other").state is state
    assert found.run.task.state is TaskState.CANCELLED


def test_a_step_that_runs_on_and_loses_its_worker_is_cancelled() -> None:
    found = after(begun("other"), TaskCancelRequested)

    assert names(found.lose("other")) == ["StepLeaseExpired other", "StepCancelled other"]


def test_a_step_told_to_stop_that_fails_is_not_tried_again() -> None:
    found = after(begun(), StepCancelRequested, "a")
    found.fail("a")

    assert names(found.decided()) == ["StepCancelled a"]


def test_a_task_with_a_cancelled_step_finishes_its_other_branches_and_is_cancelled() -> None:
    found = after(begun("other"), StepCancelRequested, "a")
    found.complete("other")

    assert names(found.decided()) == ["TaskCancelled"]
    assert found.run.step("b").state is StepState.PENDING


def test_a_step_that_was_told_to_stop_is_not_told_again_when_its_task_is_cancelled() -> None:
    found = after(begun("other"), StepCancelRequested, "other")

    assert names(found.asked(TaskCancelRequested)) == [
        "TaskCancelled",
        "StepCancelled a",
        "RequestGranted",
    ]


def test_a_paused_task_queues_nothing_and_forgets_nothing() -> None:
    found = begun("other")
    assert names(found.asked(TaskPauseRequested)) == [
        "TaskPaused",
        "StepDequeued a",
        "RequestGranted",
    ]
    found.complete("other")
    assert found.decided() == ()

    assert names(found.asked(TaskResumeRequested)) == [
        "TaskResumed",
        "RequestGranted",
        "StepEnqueued a",
    ]


def test_a_retry_that_falls_due_while_the_task_is_paused_is_queued_when_it_goes_on() -> None:
    found = after(retrying(), TaskPauseRequested)
    assert found.fire("a", after=1_000) == ()

    assert "StepEnqueued a" in names(found.asked(TaskResumeRequested))


def test_an_attempt_handed_back_while_the_task_is_paused_is_queued_when_it_goes_on() -> None:
    found = after(begun("a", "other"), TaskPauseRequested)
    found.hand_back("a")
    assert names(found.decided()) == ["StepRetryScheduled a"]
    assert found.fire("a", after=0) == ()

    assert "StepEnqueued a" in names(found.asked(TaskResumeRequested))


def test_a_task_paused_before_it_was_taken_on_starts_when_it_goes_on() -> None:
    found = story()
    assert names(found.asked(TaskPauseRequested)) == ["TaskPaused", "RequestGranted"]
    assert found.decided() == ()

    assert names(found.asked(TaskResumeRequested)) == [
        "TaskResumed",
        "RequestGranted",
        "TaskStarted",
        "StepEnqueued a",
        "StepEnqueued other",
    ]


def test_the_last_step_ends_a_task_that_is_paused() -> None:
    found = begun("a", "other")
    found.complete("a")
    found.decided()
    found.asked(StepSkipRequested, "b")
    found.asked(TaskPauseRequested)
    found.complete("other")

    assert names(found.decided()) == ["TaskCompleted"]


def test_a_reset_step_begins_anew() -> None:
    found = failed(beside=False)
    before = found.run.step("a")
    assert (before.attempt, before.failures, before.resets) == (1, 1, 0)

    assert names(found.asked(StepResetRequested, "a")) == [
        "StepReset a",
        "TaskReopened",
        "RequestGranted",
        "StepEnqueued a",
    ]
    again = found.run.step("a")
    assert (again.attempt, again.failures, again.resets) == (0, 0, 1)
    found.begin("a")
    assert found.run.step("a").attempt == 1


def test_a_reset_task_tries_all_that_did_not_come_to_pass() -> None:
    found = Story(template(step("a"), step("b"), step("c"), on_failure="block"))
    found.decided()
    for name in "abc":
        found.begin(name)
    found.fail("a", retryable=False)
    found.decided()
    found.asked(StepCancelRequested, "b")
    found.fail("b")
    found.complete("c")
    assert names(found.decided()) == ["StepCancelled b", "TaskBlocked"]

    assert names(found.asked(TaskResetRequested)) == [
        "StepReset a",
        "StepReset b",
        "TaskReopened",
        "RequestGranted",
        "StepEnqueued a",
        "StepEnqueued b",
    ]


@pytest.mark.parametrize(
    ("kind", "follows"),
    [
        pytest.param(StepResolveRequested, "StepResolvedManually a", id="resolved"),
        pytest.param(StepCompleteRequested, "StepCompletedManually a", id="completed by hand"),
        pytest.param(StepSkipRequested, "StepSkipped a", id="skipped"),
    ],
)
def test_an_operators_word_lets_a_blocked_task_go_on(kind: type[TaskRequest], follows: str) -> None:
    found = failed(on_failure="block", beside=False)

    assert names(found.asked(kind, "a")) == [
        follows,
        "TaskReopened",
        "RequestGranted",
        "StepEnqueued b",
    ]


def test_an_operators_result_is_that_of_the_step() -> None:
    found = failed()

    completed, *_ = found.asked(StepCompleteRequested, "a", result={"price": 7})

    assert isinstance(completed, StepCompletedManually)
    assert completed.result == {"price": 7}


def test_a_blocked_task_stays_so_while_one_error_is_left() -> None:
    found = Story(template(step("a"), step("b"), on_failure="block"))
    found.decided()
    for name in "ab":
        found.begin(name)
        found.fail(name, retryable=False)
    found.decided()

    assert names(found.asked(StepResolveRequested, "a")) == [
        "StepResolvedManually a",
        "RequestGranted",
    ]
    assert names(found.asked(StepResolveRequested, "b")) == [
        "StepResolvedManually b",
        "TaskReopened",
        "RequestGranted",
        "TaskCompleted",
    ]


def test_a_blocked_task_whose_failed_step_is_cancelled_is_cancelled() -> None:
    found = failed(on_failure="block", beside=False)

    assert names(found.asked(StepCancelRequested, "a")) == [
        "StepCancelled a",
        "TaskReopened",
        "RequestGranted",
        "TaskCancelled",
    ]


def test_a_blocked_task_can_be_given_up() -> None:
    found = failed(on_failure="block", beside=False)

    failure, _ = found.asked(TaskFailRequested, reason="not worth it")

    assert isinstance(failure, TaskFailed)
    assert (failure.failed_steps, failure.reason) == (("a",), "not worth it")


def test_a_task_is_opened_again_only_when_what_ran_past_its_deadline_has_stopped() -> None:
    found = Story(template(step("a"), step("b")), deadline_at="2026-01-01T13:00:00Z")
    found.decided()
    found.begin("a")
    found.ring_task(after=3_600)
    running = "the task is error: it can be opened again when what still runs has stopped: a"

    assert found.refused(TaskResetRequested) == running
    assert found.refused(StepResetRequested, "b") == running
    found.fail("a")
    found.decided()
    assert names(found.asked(TaskResetRequested)) == [
        "StepReset a",
        "StepReset b",
        "TaskReopened",
        "RequestGranted",
        "StepEnqueued a",
        "StepEnqueued b",
    ]
