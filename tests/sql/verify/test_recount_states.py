"""recount_states: the counters, from the rows alone."""

from __future__ import annotations

import psycopg
from psycopg.types.json import Jsonb

from flowledger.engine.store.schema.migrate import migrate, packaged
from support.builders import NOON
from support.sql_calls import (
    Connection,
    Others,
    call,
    new_id,
    rows_of,
    state_counts,
    step_row,
    table,
    task_row,
    wait_until_blocked,
)

TEMPLATE = new_id()


def register(connection: psycopg.Connection) -> None:
    connection.execute(
        "insert into flowledger.template (template_id, namespace, name, version, definition_hash,"
        " definition, registered_at) values (%s, 'shop', 'order', '1', '', %s, %s)",
        (TEMPLATE, Jsonb({"steps": [{"name": "a"}, {"name": "b"}]}), NOON),
    )


def fill(connection: psycopg.Connection) -> None:
    register(connection)
    open_one, paused, ended = new_id(), new_id(), new_id()
    rows = [
        task_row(open_one, TEMPLATE),
        task_row(paused, TEMPLATE, paused=True, state="waiting"),
        task_row(ended, TEMPLATE, paused=True, state="cancelled", ended_at=NOON),
    ]
    call(connection, "upsert_tasks", rows_of(rows))
    steps = [step_row(open_one, "a", state="complete"), step_row(open_one, "b")]
    call(connection, "upsert_steps", rows_of(steps), 3)


EXPECTED = {
    "tasks_in_progress": 1,
    "tasks_waiting": 1,
    "tasks_cancelled": 1,
    "tasks_paused": 1,
    "steps_of_tasks": 6,
    "steps_enqueued": 1,
    "steps_complete": 1,
}


def test_it_counts_what_was_counted_as_it_happened(connection: Connection) -> None:
    fill(connection)
    before = state_counts(connection)

    call(connection, "recount_states")

    assert before == state_counts(connection) == EXPECTED
    assert table(connection, "state_count", "shard") == [0]


def test_wrong_counters_are_put_right(connection: Connection) -> None:
    fill(connection)
    connection.execute("update flowledger.state_count set tasks_error = 9, steps_enqueued = -3")
    connection.execute("delete from flowledger.state_count where shard = 3")

    call(connection, "recount_states")

    assert state_counts(connection) == EXPECTED


def test_without_tasks_all_is_zero(connection: Connection) -> None:
    call(connection, "recount_states")

    assert state_counts(connection) == {}


def test_no_coordinator_commits_meanwhile(connection: Connection, others: Others) -> None:
    with others.begin() as counting:
        call(counting, "recount_states")
        leading = others.later("acquire_shard_lease", 0, new_id(), 60.0)
        wait_until_blocked(connection)

    assert leading.result(timeout=30)


def test_a_database_that_is_upgraded_counts_what_it_has(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        migrate(connection, [f for f in packaged() if f.number is not None and f.number < 9])
        register(connection)
        for state, paused, ended in (("waiting", True, None), ("cancelled", True, NOON)):
            connection.execute(
                "insert into flowledger.task values"
                " (%s, %s, 'shop', 'order', '1', %s, 2, %s, 0, '', %s, %s)",
                (new_id(), TEMPLATE, state, paused, NOON, ended),
            )
        connection.execute(
            "insert into flowledger.step values (%s, 'a', 'error', 1, 4)", (TEMPLATE,)
        )

        migrate(connection)

        assert state_counts(connection) == {
            "tasks_waiting": 1,
            "tasks_cancelled": 1,
            "tasks_paused": 1,
            "steps_of_tasks": 4,
            "steps_error": 1,
        }
        call(connection, "recount_states")
        assert state_counts(connection)["steps_of_tasks"] == 4
