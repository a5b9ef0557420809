"""What time asks of a task: a delayed start, a deadline, steps that nobody starts, holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flowledger.engine.domain.machine.decide import timer_fired
from flowledger.engine.domain.machine.task_run import TaskRun, Wait, fold_run
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.events.requests import (
    StepSkipRequested,
    TaskPauseRequested,
    TaskResetRequested,
    TaskResolveRequested,
    TaskResumeRequested,
)
from flowledger.engine.events.step import StepFailed
from flowledger.engine.events.task import TaskBlocked, TaskTimedOut, TaskWaiting
from support.builders import NOON, Story, names, step, template
from support.operator_stories import begun

ONE = datetime(2026, 1, 1, 13, tzinfo=UTC)
TWO = ONE + timedelta(hours=1)


def later(start_at: datetime = ONE, deadline_at: datetime | None = None) -> Story:
    return Story(template(step("a")), start_at=start_at, deadline_at=deadline_at)


def test_a_delayed_task_waits_until_its_time() -> None:
    story = later()

    (waiting,) = story.decided()

    assert isinstance(waiting, TaskWaiting)
    assert waiting.until == ONE
    assert story.run.timer == ("start", ONE)
    assert story.ring_task(after=3_599) == ()
    assert names(story.ring_task(after=1)) == ["TaskStarted", "StepEnqueued a"]
    assert story.run.timer is None


def test_a_time_that_has_passed_delays_nothing() -> None:
    story = later(start_at=NOON)

    assert names(story.decided()) == ["TaskStarted", "StepEnqueued a"]


def test_a_delayed_task_that_is_paused_has_no_timer_and_starts_when_it_goes_on() -> None:
    story = later()
    story.decided()
    story.asked(TaskPauseRequested)
    assert story.run.timer is None

    story.now = TWO
    assert "TaskStarted" in names(story.asked(TaskResumeRequested))


def test_a_delayed_task_that_goes_on_before_its_time_still_waits_for_it() -> None:
    story = later()
    story.decided()
    story.asked(TaskPauseRequested)

    assert names(story.asked(TaskResumeRequested)) == ["TaskResumed", "RequestGranted"]
    assert story.run.timer == ("start", ONE)


def test_a_task_that_has_not_ended_by_its_deadline_ends_in_error() -> None:
    story = Story(template(step("a"), step("b"), step("c", "a")), deadline_at=ONE)
    story.decided()
    story.begin("a")
    assert story.run.timer == ("deadline", ONE)
    assert story.ring_task(after=3_599) == ()

    timed_out, *stopped = story.ring_task(after=1)

    assert isinstance(timed_out, TaskTimedOut)
    assert timed_out.deadline_at == ONE
    assert names(stopped) == ["StepCancelSignalled a", "StepCancelled b"]
    assert story.run.task.state is TaskState.ERROR
    assert story.run.timer is None


def test_a_deadline_comes_after_a_delayed_start() -> None:
    story = later(deadline_at=TWO)
    story.decided()
    assert story.run.timer == ("start", ONE)

    story.ring_task(after=3_600)

    assert story.run.timer == ("deadline", TWO)


def test_a_task_that_is_opened_again_has_no_deadline_any_more() -> None:
    story = Story(template(step("a")), deadline_at=ONE)
    story.decided()
    story.ring_task(after=3_600)

    assert "TaskReopened" in names(story.asked(TaskResetRequested))
    assert story.run.timer is None


def test_a_task_that_timed_out_before_it_was_taken_on_can_be_opened_again() -> None:
    story = Story(template(step("a")), start_at=TWO, deadline_at=ONE)
    story.decided()
    assert names(story.ring_task(after=3_600)) == ["TaskTimedOut"]

    assert names(story.asked(TaskResetRequested)) == [
        "TaskReopened",
        "RequestGranted",
        "StepEnqueued a",
    ]
    assert story.decided() == ()


def test_the_deadline_of_a_task_that_ended_asks_for_nothing() -> None:
    story = Story(template(step("a")), deadline_at=ONE).through("a")

    assert story.ring_task(after=9_999) == ()


@pytest.mark.parametrize("on_failure", ["block", "fail"])
def test_a_deadline_is_final_whatever_the_template_says_of_failures(on_failure: str) -> None:
    steps = [step("a")]
    story = Story(template(*steps, on_failure=on_failure), deadline_at=ONE)
    story.decided()

    story.ring_task(after=3_600)

    assert story.run.task.state is TaskState.ERROR


def test_a_blocked_task_that_nobody_settles_ends_at_its_deadline() -> None:
    story = Story(template(step("a"), on_failure="block"), deadline_at=ONE)
    story.decided()
    story.begin("a")
    story.fail("a", retryable=False)
    assert names(story.decided()) == ["StepFailed a", "TaskBlocked"]

    assert names(story.ring_task(after=3_600)) == ["TaskTimedOut"]


def test_a_task_that_cannot_go_on_is_blocked_where_its_template_says_so() -> None:
    story = Story(template(step("a"), step("b"), step("c", "b"), on_failure="block"))
    story.decided()
    story.begin("a")
    story.fail("a", retryable=False)
    assert names(story.decided()) == ["StepFailed a"]

    *_, blocked = story.through("b", "c").log

    assert isinstance(blocked, TaskBlocked)
    assert blocked.failed_steps == ("a",)
    assert story.decided() == ()


def test_a_step_that_nobody_starts_in_time_is_given_up() -> None:
    story = Story(template(step("a", start_timeout_seconds=5)))
    story.decided()
    assert story.run.timers == {0: ("start_timeout", NOON + timedelta(seconds=5))}
    assert story.fire("a", after=4.999) == ()

    errored, failed = story.fire("a", after=0.001)

    assert isinstance(errored, StepFailed)
    assert (errored.reason, errored.message) == (
        "start_timeout",
        "no worker started it within 5 s",
    )
    assert names([failed]) == ["TaskFailed"]


def test_a_step_that_was_started_in_time_is_not_given_up() -> None:
    story = Story(template(step("a", start_timeout_seconds=5))).through()
    story.begin("a")

    late = NOON + timedelta(hours=1)
    assert timer_fired(story.run, "a", "start_timeout", late, story.rules) == ()


def test_a_checkpoint_moves_no_timer() -> None:
    story = Story(template(step("a", timeout_seconds=5))).through()
    story.begin("a")
    due = story.run.timers[0]
    story.now += timedelta(seconds=4)

    story.note("a", {"page": 3})

    assert story.run.timers[0] == due
    assert names(story.fire("a", after=1))[0] == "StepTimedOut a"


@pytest.mark.parametrize(
    ("when_skipped", "child", "end"),
    [
        pytest.param("continue", StepState.ENQUEUED, None, id="its children go on"),
        pytest.param("stop", StepState.PENDING, "TaskCompleted", id="its children are left out"),
    ],
)
def test_a_skipped_step_satisfies_its_children_as_its_template_says(
    when_skipped: str, child: StepState, end: str | None
) -> None:
    story = Story(template(step("a", when_skipped=when_skipped), step("b", "a")))
    story.decided()

    decided = names(story.asked(StepSkipRequested, "a"))

    assert story.run.step("b").state is child
    assert end is None or end in decided


class AdmissionControl:
    """Admits nobody while it is shut."""

    def __init__(self, until: datetime | None = None) -> None:
        self.wait: Wait | None = Wait("slot", "gate", until)

    def __call__(self, _run: TaskRun, _number: int, _now: datetime) -> Wait | None:
        return self.wait


def test_a_step_that_is_not_admitted_is_held_and_the_task_waits() -> None:
    gate = AdmissionControl()
    story = Story(template(step("a"), step("b", "a")), admit=gate)

    assert names(story.decided()) == ["TaskStarted", "TaskWaiting"]
    assert story.run.waiting == {0: gate.wait}
    assert story.decided() == ()

    gate.wait = None
    assert names(story.admit("a")) == ["StepEnqueued a", "TaskWaitEnded"]
    assert not story.run.waiting


def test_a_step_that_is_held_until_a_time_is_asked_about_again_then() -> None:
    gate = AdmissionControl(ONE)
    story = Story(template(step("a")), admit=gate)
    _, waiting = story.decided()
    assert isinstance(waiting, TaskWaiting)
    assert waiting.until == ONE
    assert story.admit("a") == ()
    assert story.run.waiting == {0: gate.wait}

    gate.wait = None

    assert names(story.admit("a")) == ["StepEnqueued a", "TaskWaitEnded"]


def test_a_hold_is_no_event_and_is_asked_about_again_after_a_reload() -> None:
    story = Story(template(step("a")), admit=AdmissionControl())
    story.decided()

    story.run = fold_run(story.log, story.plan)

    assert (story.run.ready, story.run.waiting) == ({0}, {})
    assert story.decided() == ()
    assert story.run.waiting


def test_an_operators_word_on_a_held_step_ends_the_hold() -> None:
    story = Story(template(step("a")), admit=AdmissionControl(ONE))
    story.decided()

    assert "TaskCompleted" in names(story.asked(StepSkipRequested, "a"))
    assert (story.run.waiting, story.run.timers) == ({}, {})


def test_a_task_that_ends_holds_nothing() -> None:
    story = Story(template(step("a")), admit=AdmissionControl(ONE))
    story.decided()

    story.asked(TaskResolveRequested)

    assert (story.run.waiting, story.run.timers) == ({}, {})


def test_a_paused_task_that_waits_for_a_retry_says_until_when() -> None:
    story = begun("a", "other")
    story.asked(TaskPauseRequested)
    story.hand_back("a")
    story.complete("other")

    scheduled, waiting = story.decided()

    assert names([scheduled]) == ["StepRetryScheduled a"]
    assert isinstance(waiting, TaskWaiting)
    assert waiting.until == story.now
