"""What `status` says of a task and its steps: what happened, what happens next, who must act."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from flowledger.engine import events as asked
from flowledger.engine.client.status_text import Outlook
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from support.builders import AT_ONCE, NOON, Story, step, template
from support.explain_contexts import scene

LATER = Retry(max_attempts=3, backoff="fixed", base_seconds=90, cap_seconds=90, jitter="none")
WHY = {"actor": "ada", "reason": "ticket 7"}
AT = "2026-01-01"
WHERE = "worker 000008 (there, process 2, last seen 5 s ago)"


def story(*, on_failure: str = "fail", retry: Retry = LATER, **fields: object) -> Story:
    """A task of three steps in a row, of which nothing was decided yet."""
    steps = (step("a", retry=retry, **fields), step("b", "a"), step("c", "b"))
    return Story(template(*steps, on_failure=on_failure))


def outlook(told: Story, *, after: float = 0.0) -> Outlook:
    return Outlook(scene(told, after=after))


def submitted() -> Story:
    return story()


def queued() -> Story:
    told = story(start_timeout_seconds=60)
    told.decided()
    return told


def running() -> Story:
    told = story(timeout_seconds=30)
    told.decided()
    told.begin("a")
    return told


def noted() -> Story:
    told = running()
    told.note("a", 1)
    return told


def told_to_stop() -> Story:
    told = running()
    told.asked(asked.StepCancelRequested, "a", **WHY)
    return told


def retrying() -> Story:
    told = story()
    told.decided()
    told.begin("a")
    told.fail("a")
    told.decided()
    return told


def undecided() -> Story:
    told = story()
    told.decided()
    told.begin("a")
    told.fail("a")
    return told


def lost_once() -> Story:
    told = story()
    told.decided()
    told.begin("a")
    told.lose("a")
    told.begin("a")
    return told


def paused() -> Story:
    told = retrying()
    told.asked(asked.TaskPauseRequested, **WHY)
    return told


def failed(on_failure: str = "fail") -> Story:
    told = story(on_failure=on_failure, retry=Retry(max_attempts=1))
    told.decided()
    told.begin("a")
    told.fail("a")
    told.decided()
    return told


def blocked() -> Story:
    return failed("block")


def done() -> Story:
    return story(retry=AT_ONCE).through("a", "b", "c")


def cancelled() -> Story:
    told = running()
    told.asked(asked.TaskCancelRequested, **WHY)
    return told


def resolved() -> Story:
    told = failed()
    told.asked(asked.TaskResolveRequested, **WHY)
    return told


def settled(kind: type[asked.StepRequest], **data: object) -> Story:
    told = blocked()
    told.asked(kind, "a", **WHY, **data)
    return told


def skipped() -> Story:
    return settled(asked.StepSkipRequested)


def skipped_for_all() -> Story:
    told = story(retry=Retry(max_attempts=0), when_skipped="stop", on_failure="block")
    told.decided()
    told.asked(asked.StepSkipRequested, "a", **WHY)
    return told


def unanswered() -> Story:
    told = retrying()
    told.ask(asked.TaskCancelRequested, **WHY)
    return told


def delayed() -> Story:
    steps = (step("a"), step("b", "a"), step("c", "b"))
    hour, two = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    told = Story(template(*steps), start_at=hour, deadline_at=two)
    told.decided()
    return told


def past_its_deadline() -> Story:
    told = Story(template(step("a"), step("b", "a")), deadline_at=NOON + timedelta(hours=2))
    told.decided()
    told.ring_task(after=7200)
    return told


TASKS: dict[Callable[[], Story], tuple[TaskState, list[str]]] = {
    submitted: (TaskState.PENDING, ["submitted 5 s ago; a coordinator takes it on next"]),
    queued: (TaskState.IN_PROGRESS, ["0 of 3 steps have ended, 1 queued"]),
    running: (TaskState.IN_PROGRESS, ["0 of 3 steps have ended, 1 running"]),
    retrying: (
        TaskState.WAITING,
        [f"0 of 3 steps have ended; goes on in 1 min 25 s ({AT} 12:01:30 UTC)"],
    ),
    paused: (
        TaskState.WAITING,
        [
            f"0 of 3 steps have ended; goes on in 1 min 25 s ({AT} 12:01:30 UTC)",
            "paused by ada: ticket 7, 5 s ago; nothing starts until `flowledger resume`",
        ],
    ),
    delayed: (
        TaskState.WAITING,
        [
            f"starts in 59 min 55 s ({AT} 13:00:00 UTC)",
            f"must have ended in 1 h 59 min ({AT} 14:00:00 UTC)",
        ],
    ),
    blocked: (
        TaskState.BLOCKED,
        [
            "blocked, as these ended in error: a; waits for an operator, for 5 s now;"
            " `flowledger step reset`, `resolve`, `complete` or `skip` settles a step;"
            " `flowledger fail` or `cancel` ends the task",
        ],
    ),
    failed: (
        TaskState.ERROR,
        [
            "failed, as these ended in error: a, 5 s ago;"
            " `flowledger reset` tries again, `flowledger resolve` counts it as done"
        ],
    ),
    past_its_deadline: (
        TaskState.ERROR,
        [
            f"had not ended by its deadline, {AT} 14:00:00 UTC, 5 s ago;"
            " `flowledger reset` tries again, `flowledger resolve` counts it as done"
        ],
    ),
    done: (TaskState.COMPLETE, ["complete, 5 s ago; nothing is left to do"]),
    cancelled: (
        TaskState.CANCELLED,
        [
            "cancelled: ticket 7 (by ada), 5 s ago; nothing more of it starts;"
            " whoever still wants it submits it anew;"
            " steps that still run: 1, and what comes of them is recorded",
        ],
    ),
    resolved: (
        TaskState.RESOLVED_MANUALLY,
        ["resolved by hand: ticket 7 (by ada), 5 s ago; nothing more of it starts"],
    ),
    unanswered: (
        TaskState.WAITING,
        [
            f"0 of 3 steps have ended; goes on in 1 min 25 s ({AT} 12:01:30 UTC)",
            "ada asked to cancel the task: ticket 7; a coordinator answers next",
        ],
    ),
}


@pytest.mark.parametrize("given", TASKS, ids=lambda given: given.__name__)
def test_a_task_says_what_happened_and_what_happens_next(given: Callable[[], Story]) -> None:
    state, said = TASKS[given]
    told = given()

    assert told.run.task.state is state
    assert outlook(told, after=5).task() == said


def test_every_state_of_a_task_is_told() -> None:
    assert {state for state, _ in TASKS.values()} == set(TaskState) - {TaskState.SUBMITTED}


STEPS: dict[tuple[Callable[[], Story], str], tuple[StepState, str]] = {
    (submitted, "a"): (
        StepState.PENDING,
        "submitted 5 s ago; a coordinator takes it on next",
    ),
    (queued, "a"): (
        StepState.ENQUEUED,
        "queued 5 s ago, for attempt 1; a worker of shop/order@1 takes it next;"
        f" times out in 55 s ({AT} 12:01:00 UTC)",
    ),
    (queued, "b"): (StepState.PENDING, "waits for a"),
    (running, "a"): (
        StepState.IN_PROGRESS,
        f"attempt 1 began 5 s ago on {WHERE}; times out in 25 s ({AT} 12:00:30 UTC)",
    ),
    (noted, "a"): (
        StepState.IN_PROGRESS,
        f"attempt 1 began 5 s ago on {WHERE}; times out in 25 s ({AT} 12:00:30 UTC)",
    ),
    (told_to_stop, "a"): (
        StepState.IN_PROGRESS,
        f"attempt 1 began 5 s ago on {WHERE}; told to stop by ada: ticket 7, 5 s ago",
    ),
    (lost_once, "a"): (
        StepState.IN_PROGRESS,
        f"attempt 2 began 5 s ago on {WHERE}; workers lost with it before: 1",
    ),
    (undecided, "a"): (
        StepState.WAITING_FOR_RETRY,
        "attempt 1 failed: ValueError: no; a coordinator decides what follows",
    ),
    (retrying, "a"): (
        StepState.WAITING_FOR_RETRY,
        "attempt 1 failed: ValueError: no; attempt 2 in 1 min 25 s"
        f" ({AT} 12:01:30 UTC), 2 of 3 tries left",
    ),
    (paused, "a"): (
        StepState.WAITING_FOR_RETRY,
        "attempt 1 failed: ValueError: no; attempt 2 in 1 min 25 s"
        f" ({AT} 12:01:30 UTC), once the task is resumed",
    ),
    (failed, "a"): (
        StepState.ERROR,
        "given up (exhausted): failed 1 of 1 times: ValueError: no",
    ),
    (failed, "c"): (
        StepState.PENDING,
        "did not start before the task ended, since a is in error; it does when the task is reset",
    ),
    (blocked, "c"): (
        StepState.PENDING,
        "does not start, since a is in error;"
        " an operator resets that step, or says how it was settled",
    ),
    (done, "a"): (StepState.COMPLETE, "done, at attempt 1"),
    (past_its_deadline, "a"): (StepState.CANCELLED, "cancelled, 5 s ago"),
    (skipped, "a"): (StepState.SKIPPED, "skipped: ticket 7 (by ada), 5 s ago"),
    (skipped_for_all, "a"): (
        StepState.SKIPPED,
        "skipped: ticket 7 (by ada), 5 s ago; what depends on it did not start,"
        " and nothing of the task is started any more",
    ),
    (delayed, "a"): (StepState.PENDING, f"starts in 59 min 55 s ({AT} 13:00:00 UTC)"),
}


@pytest.mark.parametrize("case", STEPS, ids=lambda case: f"{case[0].__name__} {case[1]}")
def test_a_step_says_what_happened_and_what_happens_next(
    case: tuple[Callable[[], Story], str],
) -> None:
    given, name = case
    state, said = STEPS[case]
    told = given()

    assert told.run.step(name).state is state
    assert outlook(told, after=5).step(name) == said


@pytest.mark.parametrize(
    ("kind", "data", "state", "said"),
    [
        (
            asked.StepResolveRequested,
            {},
            StepState.RESOLVED_MANUALLY,
            "resolved by hand: ticket 7 (by ada), 5 s ago",
        ),
        (
            asked.StepCompleteRequested,
            {"result": 1},
            StepState.COMPLETE,
            "completed by hand with 1: ticket 7 (by ada), 5 s ago",
        ),
        (asked.StepResetRequested, {}, StepState.ENQUEUED, None),
    ],
)
def test_a_step_that_an_operator_settled_says_who_and_why(
    kind: type[asked.StepRequest], data: dict[str, object], state: StepState, said: str | None
) -> None:
    told = settled(kind, **data)

    assert told.run.step("a").state is state
    assert said is None or outlook(told, after=5).step("a") == said


def test_every_state_of_a_step_is_told() -> None:
    assert {state for state, _ in STEPS.values()} >= set(StepState) - {StepState.RESOLVED_MANUALLY}


def test_a_timer_that_is_due_already_says_so() -> None:
    assert outlook(retrying(), after=91).task() == [
        f"0 of 3 steps have ended; goes on at once (it was due at {AT} 12:01:30 UTC)"
    ]
