"""upsert_tasks: the state of tasks, and a word to those who wait for an end."""

from __future__ import annotations

from uuid import UUID

from psycopg.types.json import Jsonb

from support.builders import NOON
from support.sql_calls import (
    Connection,
    call,
    heard,
    new_id,
    rows_of,
    state_counts,
    table,
    task_row,
)

TEMPLATE = new_id()


def test_a_task_is_stored_as_it_is(connection: Connection) -> None:
    task = new_id()
    row = task_row(task, TEMPLATE, priority=3, correlation="c", ended_at=NOON)

    call(connection, "upsert_tasks", rows_of([row]))

    fields = {"correlation_id" if name == "correlation" else name: row[name] for name in row}
    assert table(connection, "task", *fields) == [tuple(fields.values())]


def test_only_what_can_change_is_replaced(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE)]))

    changed = {"state": "error", "stream_version": 3, "paused": True, "ended_at": NOON}
    other = {"namespace": "x", "template": "x", "version": "x", "priority": 9, "correlation": "x"}
    call(connection, "upsert_tasks", rows_of([task_row(task, new_id(), **changed, **other)]))

    fields = ("template_id", "namespace", "priority", *changed)
    assert table(connection, "task", *fields) == [(TEMPLATE, "shop", 0, "error", 3, True, NOON)]


def test_a_task_that_is_opened_again_has_no_end(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE, ended_at=NOON)]))

    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE, stream_version=4)]))

    assert table(connection, "task", "stream_version", "ended_at") == [(4, None)]


def test_who_waits_for_an_end_is_woken_once(connection: Connection, other: Connection) -> None:
    ended = rows_of([task_row(new_id(), TEMPLATE, ended_at=NOON) for _ in range(3)])

    assert heard(other, "ended", connection, "upsert_tasks", ended) == [""]
    assert list(other.notifies(timeout=0, stop_after=1)) == []


def test_nobody_is_woken_by_a_task_that_goes_on(connection: Connection, other: Connection) -> None:
    other.execute('listen "flowledger.ended"')
    call(connection, "upsert_tasks", rows_of([task_row(new_id(), TEMPLATE)]))
    ended = rows_of([task_row(new_id(), TEMPLATE, ended_at=NOON)])

    assert len(heard(other, "ended", connection, "upsert_tasks", ended)) == 1
    assert list(other.notifies(timeout=0, stop_after=1)) == []


def register(connection: Connection) -> None:
    connection.execute(
        "insert into flowledger.template (template_id, namespace, name, version, definition_hash,"
        " definition, registered_at) values (%s, 'shop', 'order', '1', '', %s, %s)",
        (TEMPLATE, Jsonb({"steps": [{"name": "a"}, {"name": "b"}]}), NOON),
    )


def test_tasks_are_counted_where_they_stand(connection: Connection) -> None:
    register(connection)
    tasks = [new_id() for _ in range(3)]
    call(connection, "upsert_tasks", rows_of(task_row(task, TEMPLATE) for task in tasks))
    before = state_counts(connection)

    ended = [task_row(task, TEMPLATE, state="complete", ended_at=NOON) for task in tasks[:2]]
    call(connection, "upsert_tasks", rows_of(ended))

    assert before == {"tasks_in_progress": 3, "steps_of_tasks": 6}
    assert state_counts(connection) == {
        "tasks_in_progress": 1,
        "tasks_complete": 2,
        "steps_of_tasks": 6,
    }


def test_only_open_tasks_are_counted_as_paused(connection: Connection) -> None:
    task = new_id()
    counted = []
    for changed in (
        {"paused": True},
        {"paused": True, "state": "waiting"},
        {"paused": True, "state": "cancelled", "ended_at": NOON},
        {"paused": True},
        {},
    ):
        call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE, **changed)]))
        counted.append(state_counts(connection).get("tasks_paused", 0))

    assert counted == [1, 1, 0, 1, 0]


def test_they_are_counted_by_the_shard(connection: Connection) -> None:
    call(connection, "upsert_tasks", rows_of([task_row(new_id(), TEMPLATE)]), 2)

    assert table(connection, "state_count", "shard", "tasks_in_progress") == [(0, 0), (2, 1)]


def test_what_is_rolled_back_is_not_counted(connection: Connection) -> None:
    with connection.transaction(force_rollback=True):
        call(connection, "upsert_tasks", rows_of([task_row(new_id(), TEMPLATE)]))

    assert state_counts(connection) == {}


def page_of(places: list[tuple[UUID, str]]) -> dict[UUID, str]:
    """The page of each row, by its task."""
    return {task: place.partition(",")[0] for task, place in places}


def test_rows_that_change_stay_on_their_page(connection: Connection) -> None:
    tasks = [new_id() for _ in range(200)]
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE) for task in tasks]))
    before = page_of(table(connection, "task", "task_id", "ctid"))

    changed = [task_row(task, TEMPLATE, state="complete", ended_at=NOON) for task in tasks]
    call(connection, "upsert_tasks", rows_of(changed))

    after = page_of(table(connection, "task", "task_id", "ctid"))
    assert len([task for task in tasks if before[task] != after[task]]) < 20
