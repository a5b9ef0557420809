"""step_completed_events: the completion of each step that has one."""

from __future__ import annotations

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.store.connection.arrays import UuidArray
from support.sql_calls import Connection, Row, append, call, new_id


def test_each_completed_step_gives_its_completion(connection: Connection) -> None:
    task = new_id()
    done, running = step_id(task, "done"), step_id(task, "running")
    append(
        connection,
        Row(done, 1, "step.started", b"1", task),
        Row(done, 2, "step.completed", b"2", task),
        Row(running, 1, "step.started", b"3", task),
    )

    found = call(connection, "step_completed_events", UuidArray([done, running, new_id()]))

    assert found == [(done, 2, "step.completed", b"2", task)]
