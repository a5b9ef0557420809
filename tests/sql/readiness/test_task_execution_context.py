"""task_execution_context: where a task stands, in counts and words.

That it says what the coordinator's fold says, whatever happened, is shown in tests/property.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flowledger.engine.domain.machine.task_run import Wait
from flowledger.engine.events.requests import StepCancelRequested, TaskPauseRequested
from support.builders import NOON, Story, diamond, step, template
from support.sql_calls import Connection, call, new_id, rows_of, task_row
from support.stored_tasks import context, given_task, store


def words(found: dict[str, Any]) -> tuple[Any, ...]:
    names = ("execution_status", "recommended_action", "health_status", "completion_percentage")
    return tuple(found[name] for name in names)


def test_steps_are_counted_by_state(connection: Connection) -> None:
    task = given_task(
        connection,
        diamond(),
        {"step": "start", "state": "complete"},
        {"step": "left", "state": "in_progress"},
        {"step": "right", "state": "enqueued"},
    )

    found = context(connection, task)

    counted = {name: count for name, count in found.items() if name.endswith("_steps") and count}
    assert counted == {
        "total_steps": 4,
        "pending_steps": 1,
        "enqueued_steps": 1,
        "in_progress_steps": 1,
        "completed_steps": 1,
    }
    assert words(found) == ("has_ready_steps", "execute_ready_steps", "healthy", 25.0)


def test_a_task_that_nobody_has_begun_is_counted_too(connection: Connection) -> None:
    task = given_task(connection, diamond())

    found = context(connection, task)

    assert (found["pending_steps"], found["ready_steps"], found["waiting_steps"]) == (4, 1, 0)


def test_an_unknown_task_has_no_row(connection: Connection) -> None:
    assert call(connection, "task_execution_context", new_id()) == []


def test_a_paused_task_holds_what_would_be_ready(connection: Connection) -> None:
    story = Story(diamond())
    story.decided()
    story.asked(TaskPauseRequested)

    found = context(connection, store(connection, story.run))

    assert (found["ready_steps"], found["waiting_steps"]) == (0, 1)
    assert words(found)[:2] == ("waiting_for_dependencies", "resume_task")


def test_a_task_whose_start_is_yet_to_come_waits_for_it(connection: Connection) -> None:
    story = Story(diamond(), start_at=NOON + timedelta(hours=1))
    story.decided()

    found = context(connection, store(connection, story.run))

    assert words(found)[:2] == ("waiting_for_dependencies", "wait_for_start")


def test_a_step_that_a_limit_holds_is_held(connection: Connection) -> None:
    story = Story(diamond(), admit=lambda *_: Wait("slot", "gate"))
    story.decided()

    found = context(connection, store(connection, story.run))

    assert (found["pending_steps"], found["ready_steps"], found["waiting_steps"]) == (4, 0, 1)


def test_7_a_task_with_a_cancelled_step_and_the_rest_complete_is_over(
    connection: Connection,
) -> None:
    story = Story(template(step("a"), step("b")))
    story.decided()
    story.asked(StepCancelRequested, "a")
    story.through("b")

    found = context(connection, store(connection, story.run))

    assert (found["state"], found["cancelled_steps"], found["completed_steps"]) == (
        "cancelled",
        1,
        1,
    )
    assert words(found) == ("all_complete", "finalize_task", "healthy", 50.0)


def test_8_a_permanent_error_with_attempts_left_blocks(connection: Connection) -> None:
    story = Story(template(step("a"), step("b", "a")))
    story.decided()
    story.begin("a")
    story.fail("a", retryable=False)
    story.decided()

    found = context(connection, store(connection, story.run))

    assert words(found) == ("blocked_by_failures", "handle_failures", "blocked", 0.0)
    assert (found["failed_steps"], found["ready_steps"]) == (1, 0)


@pytest.mark.parametrize("width", [1, 1_000])
def test_a_wide_task_is_counted(connection: Connection, width: int) -> None:
    names = [f"m{n}" for n in range(width)]
    flow = template(step("first"), *(step(name, "first") for name in names), step("last", *names))
    task = given_task(connection, flow, {"step": "first", "state": "complete"})

    found = context(connection, task)

    assert (found["total_steps"], found["ready_steps"]) == (width + 2, width)


def test_of_a_task_that_ended_nothing_is_ready_or_held(connection: Connection) -> None:
    task = given_task(connection, diamond())
    ended = task_row(task, diamond().template_id, state="cancelled", ended_at=NOON)

    call(connection, "upsert_tasks", rows_of([ended]))

    found = context(connection, task)
    assert (found["pending_steps"], found["ready_steps"], found["waiting_steps"]) == (4, 0, 0)
