"""rows_of_tasks: every row that there is about tasks beside the log."""

from __future__ import annotations

import json
from collections import Counter

from flowledger.engine.domain.deterministic_ids import step_id, uuid7
from support.builders import NOON
from support.limits import waiting_row
from support.sql_calls import (
    Connection,
    call,
    new_id,
    park,
    queue,
    queue_row,
    rows_of,
    step_row,
    task_row,
)


def test_rows_of_each_table_come_with_their_task(connection: Connection) -> None:
    task, other, template = uuid7(5, 5), uuid7(7, 7), new_id()
    for each in (task, other):
        call(connection, "upsert_tasks", rows_of([task_row(each, template)]))
        call(connection, "upsert_steps", rows_of([step_row(each, "a"), step_row(each, "b")]))
        queue(connection, queue_row(each, template, "a"))
        timer = {"task_id": each, "kind": "retry", "due_at": NOON}
        own = {**timer, "step_id": each, "step": "", "kind": "deadline"}
        call(
            connection,
            "upsert_timers",
            rows_of([{**timer, "step_id": step_id(each, "b"), "step": "b"}, own]),
        )
        call(connection, "store_waiting_steps", rows_of([waiting_row(each, "b")]))
        connection.execute("insert into flowledger.slot values (%s, 'k')", (step_id(each, "a"),))
        park(connection, each)

    found = call(connection, "rows_of_tasks", [task])

    assert {owner for owner, _, _ in found} == {task}
    assert Counter(relation for _, relation, _ in found) == {
        "task": 1,
        "step": 2,
        "queue": 1,
        "timer": 2,
        "waiting_step": 1,
        "slot": 1,
        "parked_task": 1,
        "shard": 1,
    }
    rows = {relation: json.loads(stored) for _, relation, stored in found}
    assert rows["queue"]["step_id"] == str(step_id(task, "a"))
    assert rows["shard"]["position"] == 0


def test_a_row_in_the_range_comes_whoever_it_says_that_it_is_of(connection: Connection) -> None:
    task, other = uuid7(5, 5), uuid7(7, 7)
    queue(connection, queue_row(task, new_id(), "a", task_id=other))

    found = call(connection, "rows_of_tasks", [task])

    assert [relation for _, relation, _ in found] == ["queue", "shard"]
