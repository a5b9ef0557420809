"""events_in_id_ranges_of_tasks: everything in the tasks' ranges, whoever it says that it belongs
to.
"""

from __future__ import annotations

from flowledger.engine.domain.deterministic_ids import step_id, uuid7
from support.sql_calls import Connection, Row, append, call, new_id


def test_the_ranges_of_several_tasks_are_read_at_once(connection: Connection) -> None:
    one, two, other = new_id(), new_id(), uuid7(7, 7)
    rows = [Row(task, 1, "task.created", task=task) for task in (one, two, other)]
    step = Row(step_id(one, "a"), 1, state=b'{"n": 1}', task=one)
    positions = append(connection, *rows, step)

    found = call(connection, "events_in_id_ranges_of_tasks", [one, two])

    assert {(owner, position) for owner, position, *_ in found} >= {
        (one, positions[0]),
        (two, positions[1]),
        (one, positions[3]),
    }
    assert (one, positions[3], step.stream, 1, "step.started", b'{"n": 1}', one) in found
    assert positions[2] not in {position for _, position, *_ in found}


def test_what_says_that_it_is_of_another_task_comes_too(connection: Connection) -> None:
    one, two = new_id(), uuid7(7, 7)
    append(connection, Row(one, 1, task=one), Row(step_id(one, "a"), 1, task=two))

    found = call(connection, "events_in_id_ranges_of_tasks", [one])

    assert sorted(str(row[6]) for row in found) == sorted([str(one), str(two)])
