"""What operators ask for is granted or refused, in every state of a task and of a step."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from flowledger.engine.cli.many_tasks import would
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.events.requests import (
    REQUESTS,
    RequestGranted,
    StepCancelRequested,
    StepRequest,
    StepResetRequested,
    StepResolveRequested,
    StepSkipRequested,
    TaskCancelRequested,
    TaskFailRequested,
    TaskPauseRequested,
    TaskRequest,
    TaskResetRequested,
    TaskResolveRequested,
    TaskResumeRequested,
)
from support.builders import Story, step, template
from support.operator_stories import after, begun, done, failed, retrying, story

TASK_REQUESTS = [kind for kind in REQUESTS if not issubclass(kind, StepRequest)]
STEP_REQUESTS = [kind for kind in REQUESTS if issubclass(kind, StepRequest)]
Requests = Collection[type[TaskRequest]]


TASKS: dict[str, tuple[Callable[[], Story], TaskState, Requests]] = {
    "pending": (
        story,
        TaskState.PENDING,
        {TaskCancelRequested, TaskPauseRequested, TaskResolveRequested},
    ),
    "in progress": (
        begun,
        TaskState.IN_PROGRESS,
        {TaskCancelRequested, TaskPauseRequested, TaskResolveRequested},
    ),
    "waiting": (
        lambda: (
            waiting := Story(template(step("a")), start_at="2026-01-01T13:00:00Z"),
            waiting.decided(),
        )[0],
        TaskState.WAITING,
        {TaskCancelRequested, TaskPauseRequested, TaskResolveRequested},
    ),
    "paused": (
        lambda: after(begun(), TaskPauseRequested),
        TaskState.IN_PROGRESS,
        {TaskCancelRequested, TaskResumeRequested, TaskResolveRequested},
    ),
    "blocked": (
        lambda: failed(on_failure="block", beside=False),
        TaskState.BLOCKED,
        {
            TaskCancelRequested,
            TaskPauseRequested,
            TaskResolveRequested,
            TaskResetRequested,
            TaskFailRequested,
        },
    ),
    "complete": (lambda: done("a", "b", "other"), TaskState.COMPLETE, ()),
    "error": (
        lambda: failed(beside=False),
        TaskState.ERROR,
        {TaskResolveRequested, TaskResetRequested},
    ),
    "cancelled": (lambda: after(begun(), TaskCancelRequested), TaskState.CANCELLED, ()),
    "resolved": (
        lambda: after(begun(), TaskResolveRequested),
        TaskState.RESOLVED_MANUALLY,
        (),
    ),
}
STEPS: dict[str, tuple[Callable[[], Story], StepState, Requests]] = {
    "pending": (
        lambda: after(story(), TaskPauseRequested),
        StepState.PENDING,
        set(STEP_REQUESTS) - {StepResetRequested},
    ),
    "enqueued": (done, StepState.ENQUEUED, set(STEP_REQUESTS) - {StepResetRequested}),
    "running": (begun, StepState.IN_PROGRESS, {StepCancelRequested}),
    "told to stop": (
        lambda: after(begun(), StepCancelRequested, "a"),
        StepState.IN_PROGRESS,
        (),
    ),
    "waiting for a retry": (retrying, StepState.WAITING_FOR_RETRY, set(STEP_REQUESTS)),
    "complete": (lambda: done("a"), StepState.COMPLETE, ()),
    "error": (failed, StepState.ERROR, set(STEP_REQUESTS)),
    "cancelled": (
        lambda: after(begun("other"), StepCancelRequested, "a"),
        StepState.CANCELLED,
        {StepResetRequested},
    ),
    "resolved": (
        lambda: after(begun("other"), StepResolveRequested, "a"),
        StepState.RESOLVED_MANUALLY,
        (),
    ),
    "skipped": (lambda: after(begun("other"), StepSkipRequested, "a"), StepState.SKIPPED, ()),
}


@pytest.mark.parametrize("kind", TASK_REQUESTS, ids=lambda kind: kind.topic)
@pytest.mark.parametrize("case", TASKS)
def test_what_is_asked_of_a_task_is_granted_or_refused(case: str, kind: type[TaskRequest]) -> None:
    given, state, grants = TASKS[case]
    found = given()
    assert found.run.task.state is state

    if kind in grants:
        assert RequestGranted in map(type, found.asked(kind))
    else:
        message = found.refused(kind)
        assert message.startswith("the task ")
        assert "paused" in message or state in message
        assert found.run.task.state is state or state is TaskState.PENDING
    assert not found.run.requests
    assert found.decided() == ()


@pytest.mark.parametrize("kind", TASK_REQUESTS, ids=lambda kind: kind.topic)
@pytest.mark.parametrize("case", TASKS)
def test_a_command_that_finds_tasks_finds_those_of_which_it_is_granted(
    case: str, kind: type[TaskRequest]
) -> None:
    given, state, grants = TASKS[case]
    verb = kind.topic.removeprefix("task.").removesuffix("_requested")
    about = {"task": "1", "state": state.value, "paused": given().run.task.paused}

    assert would(verb, about).facts["grantable"] is (kind in grants)


@pytest.mark.parametrize("kind", STEP_REQUESTS, ids=lambda kind: kind.topic)
@pytest.mark.parametrize("case", STEPS)
def test_what_is_asked_of_a_step_is_granted_or_refused(case: str, kind: type[TaskRequest]) -> None:
    given, state, grants = STEPS[case]
    found = given()
    assert found.run.step("a").state is state

    if kind in grants:
        assert RequestGranted in map(type, found.asked(kind, "a"))
    else:
        message = found.refused(kind, "a")
        assert message.startswith(f"step 'a' is {state}")
        assert found.run.step("a").state is state
    assert not found.run.requests
    assert found.decided() == ()


def test_every_state_was_asked_in() -> None:
    assert {state for _, state, _ in TASKS.values()} == set(TaskState) - {TaskState.SUBMITTED}
    assert {state for _, state, _ in STEPS.values()} == set(StepState)


@pytest.mark.parametrize("kind", STEP_REQUESTS, ids=lambda kind: kind.topic)
@pytest.mark.parametrize("case", ["complete", "cancelled", "resolved"])
def test_no_step_of_a_task_that_ended_is_changed(case: str, kind: type[TaskRequest]) -> None:
    found = TASKS[case][0]()

    state = found.run.task.state
    assert found.refused(kind, "b") == f"the task has ended: it is {state}"


@pytest.mark.parametrize(
    ("case", "kind", "name", "message"),
    [
        pytest.param(
            "error",
            StepCancelRequested,
            "a",
            "the task has ended: it is error",
            id="a step of a task in error",
        ),
        pytest.param(
            "in progress",
            StepSkipRequested,
            "othr",
            "the task has no step 'othr'; did you mean 'other'?",
            id="a step that is nearly there",
        ),
        pytest.param(
            "in progress",
            StepSkipRequested,
            "zzz",
            "the task has no step 'zzz'; it has a, b, other",
            id="a step that is not there",
        ),
        pytest.param(
            "in progress",
            StepSkipRequested,
            "a",
            "step 'a' is in_progress: only a step that is enqueued, error, pending or"
            " waiting_for_retry can be skipped",
            id="a step that runs",
        ),
        pytest.param(
            "in progress",
            TaskResetRequested,
            None,
            "the task is in_progress: only a task that is blocked or in error can be reset",
            id="a reset of what goes on",
        ),
        pytest.param(
            "error",
            TaskFailRequested,
            None,
            "the task is error: only a task that is blocked can be given up",
            id="giving up what has ended",
        ),
        pytest.param(
            "paused", TaskPauseRequested, None, "the task is paused already", id="pausing twice"
        ),
        pytest.param(
            "blocked", TaskResumeRequested, None, "the task is not paused", id="resuming in vain"
        ),
    ],
)
def test_a_refusal_says_what_is_and_what_could_be(
    case: str, kind: type[TaskRequest], name: str | None, message: str
) -> None:
    assert TASKS[case][0]().refused(kind, name) == message


def test_a_step_is_told_to_stop_once() -> None:
    found = STEPS["told to stop"][0]()

    assert found.refused(StepCancelRequested, "a") == (
        "step 'a' is in_progress, and was told to stop already"
    )
