"""What the coordinator decides, given what happened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.machine.decide import Rules, decide, lease_expired, timer_fired
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.events.requests import StepResolveRequested
from flowledger.engine.events.step import StepFailed, StepLeaseExpired, StepRetryScheduled
from flowledger.engine.events.task import TaskFailed, TaskWaiting
from support.builders import AT_ONCE, NEVER, NOON, TASK, Story, diamond, names, step, template

IN_TEN = Retry(max_attempts=2, backoff="fixed", base_seconds=10.0, jitter="none")


def running(*steps: Any, **fields: Any) -> Story:
    """A task whose root steps have all been started."""
    story = Story(template(*steps), **fields)
    story.decided()
    for number, parents in enumerate(story.plan.parents):
        if not parents:
            story.begin(story.plan.steps[number].name)
    return story


def test_a_new_task_is_started_and_its_roots_are_queued() -> None:
    story = Story(template(step("a"), step("b", "a"), step("c")))

    assert names(story.decided()) == ["TaskStarted", "StepEnqueued a", "StepEnqueued c"]


def test_a_completed_step_lets_its_children_run() -> None:
    story = Story(diamond()).through()
    story.begin("start")
    story.complete("start")

    assert names(story.decided()) == ["StepEnqueued left", "StepEnqueued right"]


def test_a_join_waits_for_both() -> None:
    story = Story(diamond()).through("start")
    for name in ("left", "right"):
        story.begin(name)

    story.complete("left")
    assert names(story.decided()) == []
    story.complete("right")
    assert names(story.decided()) == ["StepEnqueued end"]


def test_a_start_asks_for_nothing() -> None:
    story = Story(diamond()).through()
    story.begin("start")

    assert story.decided() == ()


def test_the_last_completion_ends_the_task() -> None:
    story = Story(diamond()).through("start", "left", "right")
    story.begin("end")
    story.complete("end")

    assert names(story.decided()) == ["TaskCompleted"]
    assert story.run.task.state is TaskState.COMPLETE


def test_nothing_is_decided_about_a_task_that_ended() -> None:
    story = Story(template(step("a"))).through("a")

    assert story.decided() == ()


def test_a_failure_is_tried_again_when_its_delay_is_over() -> None:
    story = running(step("a", retry=IN_TEN))
    story.fail("a")

    scheduled, waiting = story.decided()
    assert isinstance(scheduled, StepRetryScheduled)
    assert scheduled.due_at == NOON + timedelta(seconds=10)
    assert isinstance(waiting, TaskWaiting)
    assert waiting.until == scheduled.due_at
    assert names(story.fire("a", after=9.999)) == []
    assert names(story.fire("a", after=0.001)) == ["StepEnqueued a", "TaskWaitEnded"]
    assert names(story.fire("a", after=60)) == []


@pytest.mark.parametrize("jitter", ["none", "equal", "full"])
def test_a_delay_is_within_the_policy_and_the_same_when_decided_again(jitter: Any) -> None:
    policy = Retry(base_seconds=4.0, factor=3.0, jitter=jitter)
    dues = set()
    for _ in range(2):
        story = running(step("a", retry=policy))
        story.fail("a")
        scheduled, _ = story.decided()
        assert isinstance(scheduled, StepRetryScheduled)
        dues.add(scheduled.due_at)

    (due,) = dues
    assert {"none": 4, "equal": 2, "full": 0}[jitter] <= (due - NOON).total_seconds() <= 4


def test_a_failure_without_delay_is_queued_at_once() -> None:
    story = running(step("a", retry=AT_ONCE))
    story.fail("a")

    assert names(story.decided()) == ["StepEnqueued a"]


def test_the_last_attempt_of_the_policy_ends_the_step_and_the_task() -> None:
    story = running(step("a", retry=IN_TEN), step("b", "a"))
    story.fail("a")
    story.decided()
    story.fire("a", after=10)
    story.begin("a")
    story.fail("a")

    errored, failed = story.decided()

    assert isinstance(errored, StepFailed)
    assert errored.reason == "exhausted"
    assert errored.message == "failed 2 of 2 times: ValueError: no"
    assert isinstance(failed, TaskFailed)
    assert failed.failed_steps == ("a",)


def test_a_permanent_failure_is_not_tried_again() -> None:
    story = running(step("a"))
    story.fail("a", retryable=False)

    errored, failed = story.decided()

    assert isinstance(errored, StepFailed)
    assert (errored.reason, errored.message) == ("permanent", "ValueError: no")
    assert names([failed]) == ["TaskFailed"]


def test_a_policy_without_attempts_never_runs_the_step() -> None:
    story = Story(template(step("a"), step("b", "a", retry=NEVER), step("c", "b"))).through()
    story.begin("a")
    story.complete("a")

    errored, failed = story.decided()

    assert isinstance(errored, StepFailed)
    assert (errored.step, errored.reason, errored.attempt) == ("b", "never", 0)
    assert names([failed]) == ["TaskFailed"]


def test_a_root_that_never_runs_fails_the_task_at_once() -> None:
    story = Story(template(step("a", retry=NEVER)))

    assert names(story.decided()) == ["TaskStarted", "StepFailed a", "TaskFailed"]


def test_other_branches_finish_before_the_task_fails() -> None:
    story = running(step("a"), step("b"), step("c", "b"), step("d", "a", "c"))
    story.fail("a", retryable=False)
    assert names(story.decided()) == ["StepFailed a"]
    story.complete("b")
    assert names(story.decided()) == ["StepEnqueued c"]
    story.begin("c")
    story.complete("c")

    assert names(story.decided()) == ["TaskFailed"]


def test_two_ends_at_once_have_one_finaliser() -> None:
    story = running(step("a"), step("b"))
    story.complete("a")
    story.fail("b", retryable=False)

    assert names(story.decided()) == ["StepFailed b", "TaskFailed"]
    assert story.decided() == ()


def test_an_attempt_that_runs_too_long_times_out_and_is_tried_again() -> None:
    story = running(step("a", timeout_seconds=5, retry=AT_ONCE))

    assert names(story.fire("a", after=4.999)) == []
    assert names(story.fire("a", after=0.001)) == ["StepTimedOut a", "StepEnqueued a"]


def test_timeouts_count_against_the_policy() -> None:
    story = running(step("a", timeout_seconds=5, retry=Retry(max_attempts=1)))

    _, errored, _ = story.fire("a", after=5)

    assert isinstance(errored, StepFailed)
    assert errored.message == "failed 1 of 1 times: ran longer than 5 s"


def test_a_timer_that_rings_after_its_step_ended_asks_for_nothing() -> None:
    story = running(step("a", timeout_seconds=5), step("b"))
    story.complete("a")
    late = NOON + timedelta(hours=1)

    for kind in ("timeout", "start_timeout", "retry"):
        assert timer_fired(story.run, "a", kind, late, story.rules) == ()
    assert lease_expired(story.run, 0, TASK, late, story.rules) == ()


def test_a_step_that_lost_its_worker_is_queued_again_and_no_attempt_is_counted() -> None:
    story = running(step("a", retry=Retry(max_attempts=1)))

    lost, queued = story.lose("a")

    assert isinstance(lost, StepLeaseExpired)
    assert names([queued]) == ["StepEnqueued a"]
    assert story.run.step("a").failures == 0


def test_a_step_outlives_as_many_workers_as_the_rules_say() -> None:
    story = running(step("a"), lost_leases=2)
    for _ in range(2):
        assert names(story.lose("a")) == ["StepLeaseExpired a", "StepEnqueued a"]
        story.begin("a")

    _, errored, failed = story.lose("a")

    assert isinstance(errored, StepFailed)
    assert (errored.reason, errored.message) == (
        "lost_leases",
        "3 workers went silent while they ran it",
    )
    assert names([failed]) == ["TaskFailed"]


def test_a_step_handed_back_once_is_queued_at_once_and_no_attempt_is_counted() -> None:
    story = running(step("a", retry=Retry(max_attempts=1)))

    story.hand_back("a")

    assert names(story.decided()) == ["StepEnqueued a"]
    assert story.run.step("a").failures == 0


def hand_backs(story: Story, times: int) -> list[float]:
    """Seconds until the step is queued again, each time that it is handed back and started."""
    found: list[float] = []
    for _ in range(times):
        story.hand_back("a")
        decided, *_ = story.decided()
        due = decided.due_at if isinstance(decided, StepRetryScheduled) else story.now
        found.append((due - story.now).total_seconds())
        if found[-1]:
            story.fire("a", after=found[-1])
        story.begin("a")
    return found


def test_a_step_that_is_handed_back_again_and_again_slows_down() -> None:
    story = running(step("a", retry=Retry(max_attempts=1)))

    assert hand_backs(story, 10) == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize("progress", ["checkpoint", "failure"])
def test_a_step_that_got_on_is_handed_back_for_the_first_time(progress: str) -> None:
    story = running(step("a", retry=AT_ONCE))
    assert hand_backs(story, 3) == [0, 1, 2]
    if progress == "checkpoint":
        story.note("a", 1)
    else:
        story.fail("a")
        story.decided()
        story.begin("a")

    assert hand_backs(story, 3) == [0, 1, 2]


def test_a_step_that_comes_back_every_time_is_given_up_by_its_policy() -> None:
    """Also where the policy has no pause of its own."""
    story = running(step("a", retry=Retry(max_attempts=3, backoff="none")))
    assert hand_backs(story, 12)[-2:] == [60, 60]

    story.hand_back("a")
    errored, failed = story.decided()

    assert isinstance(errored, StepFailed)
    assert errored.reason == "exhausted"
    assert errored.message.startswith("failed 3 of 3 times: handed back 13 times in a row")
    assert names([failed]) == ["TaskFailed"]


def test_attempts_count_starts_and_failures_alone_count_against_the_policy() -> None:
    story = running(step("a", retry=AT_ONCE))
    story.lose("a")
    story.begin("a")
    story.fail("a")
    story.decided()

    assert (story.run.step("a").attempt, story.run.step("a").failures) == (2, 1)
    assert story.log[-1].attempt == 3  # type: ignore[attr-defined]


def test_deciding_twice_changes_nothing() -> None:
    story = Story(diamond()).through("start")
    before = len(story.log)

    assert story.decided() == ()
    assert len(story.log) == before


def test_decisions_say_what_caused_them_and_continue_their_streams() -> None:
    story = Story(template(step("a")))
    started, queued = story.decided()

    assert started.causation_id == queued.causation_id == story.log[0].event_id
    assert (started.originator_id, started.originator_version) == (TASK, 2)
    assert (queued.originator_id, queued.originator_version) == (step_id(TASK, "a"), 1)
    assert {e.correlation_id for e in (started, queued)} == {"c"}
    assert {(e.namespace, e.template, e.task_id) for e in (started, queued)} == {
        ("shop", "order", TASK)
    }


def test_the_same_decisions_have_the_same_ids() -> None:
    one, other = Story(diamond()), Story(diamond())

    assert one.decided() == other.decided()


def test_what_an_earlier_round_left_open_is_found_without_an_event() -> None:
    story = running(step("a", retry=AT_ONCE), step("b"))
    story.fail("a")
    story.complete("b")

    unrelated = TASK
    found = decide(story.run, unrelated, NOON, Rules(lost_leases=1))

    assert names(found) == ["StepEnqueued a"]


@pytest.mark.parametrize("attempts", [0, 1])
def test_what_becomes_ready_as_another_is_given_up_is_decided_with_it(attempts: int) -> None:
    """The one between them was settled early, so nothing else would come to look again."""
    never = {"max_attempts": 0, "backoff": "none"}
    story = Story(
        template(
            step("first", retry=never),
            step("settled", "first", retry=never),
            step("last", "settled", retry={"max_attempts": attempts, "backoff": "none"}),
        )
    )
    story.ask(StepResolveRequested, "settled")

    story.decided()

    last = story.run.steps[2].state
    assert last is (StepState.ENQUEUED if attempts else StepState.ERROR)
    assert story.run.ended is not bool(attempts)
