"""decided_events_of_tasks: what decided_task_events says, of several tasks."""

from __future__ import annotations

from flowledger.engine.domain.deterministic_ids import step_id
from support.sql_calls import Connection, Row, append, call, new_id

DECISIONS = ["task.created", "step.enqueued"]


def test_each_task_has_its_events_in_their_order(connection: Connection) -> None:
    tasks = [new_id() for _ in range(3)]
    positions = append(
        connection,
        *(Row(task, 1, "task.created", b"1", task) for task in tasks),
        *(Row(step_id(task, "a"), 1, "step.enqueued", b"2", task) for task in tasks),
        *(Row(step_id(task, "a"), 2, "step.started", b"3", task) for task in tasks),
    )

    found = call(
        connection, "decided_events_of_tasks", [*tasks[1:], new_id()], positions[7], DECISIONS
    )

    assert [(row[4], row[3]) for row in found] == [
        (tasks[1], b"1"),
        (tasks[1], b"2"),
        (tasks[1], b"3"),
        (tasks[2], b"1"),
        (tasks[2], b"2"),
    ]
