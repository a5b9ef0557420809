"""decided_task_events: a task as it was decided up to a position."""

from __future__ import annotations

from flowledger.engine.domain.deterministic_ids import step_id
from support.sql_calls import Connection, Row, append, call, new_id

DECISIONS = ["task.created", "step.enqueued"]


def test_facts_end_at_the_position_and_decisions_do_not(connection: Connection) -> None:
    task = new_id()
    step = step_id(task, "a")
    positions = append(
        connection,
        Row(task, 1, "task.created", b"1", task),
        Row(step, 1, "step.enqueued", b"2", task),
        Row(step, 2, "step.started", b"3", task),
        Row(step, 3, "step.completed", b"4", task),
        Row(step, 4, "step.enqueued", b"5", task),
        Row(new_id(), 1, "step.enqueued", b"6", new_id()),
    )

    found = {
        at: call(connection, "decided_task_events", task, position, DECISIONS)
        for at, position in enumerate([0, *positions])
    }

    assert [[row[3] for row in found[at]] for at in (0, 3, 4)] == [
        [b"1", b"2", b"5"],
        [b"1", b"2", b"3", b"5"],
        [b"1", b"2", b"3", b"4", b"5"],
    ]
    assert found[0][1] == (step, 1, "step.enqueued", b"2", task)
