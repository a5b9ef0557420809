"""remove_orphan_rows: what nothing in the log stands behind goes, and definitions stay."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from flowledger.engine.domain.deterministic_ids import step_id, uuid7
from support.builders import NOON
from support.limits import waiting_row
from support.sql_calls import (
    Connection,
    Row,
    append,
    call,
    new_id,
    park,
    queue,
    queue_row,
    rows_of,
    table,
    timer_row,
)

TEMPLATE = new_id()


def test_rows_of_nobody_go_and_their_slots_are_counted(connection: Connection) -> None:
    known, nobody = uuid7(5, 5), uuid7(7, 7)
    append(connection, Row(known, 1, "task.created", task=known))
    for task in (known, nobody):
        step = step_id(task, "a")
        queue(connection, queue_row(task, TEMPLATE))
        call(connection, "upsert_timers", rows_of([timer_row(task, NOON)]))
        call(connection, "store_waiting_steps", rows_of([waiting_row(task, "a")]))
        connection.execute("insert into flowledger.slot values (%s, 'k')", (step,))
    connection.execute("insert into flowledger.slot_count values ('k', 2)")
    connection.execute(
        "insert into flowledger.submission (task_id, encoding, topic, state)"
        " values (%s, 0, 'task.created', '')",
        (known,),
    )

    for task in (known, nobody):
        park(connection, task)

    assert call(connection, "remove_orphan_rows") == [6]

    for name in ("queue", "timer", "waiting_step", "parked_task"):
        assert table(connection, name, "task_id") == [known]
    assert table(connection, "slot_count", "limit_key", "in_use") == [("k", 1)]
    assert table(connection, "submission", "task_id") == []
    assert call(connection, "remove_orphan_rows") == [0]


def test_a_template_without_events_stays(connection: Connection) -> None:
    connection.execute(
        "insert into flowledger.template (template_id, namespace, name, version, definition_hash,"
        " definition, registered_at) values (%s, 'shop', 'order', '1', '', %s, %s)",
        (TEMPLATE, Jsonb({"steps": []}), NOON),
    )

    call(connection, "remove_orphan_rows")

    assert table(connection, "template", "template_id") == [TEMPLATE]
