"""counter_mismatches: counters that are not what they count."""

from __future__ import annotations

from support.sql_calls import Connection, call, new_id, rows_of, step_row, task_row


def test_what_the_coordinator_stores_is_counted_right(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, new_id())]))
    call(connection, "upsert_steps", rows_of([step_row(task, "a"), step_row(task, "b")]))
    call(connection, "upsert_steps", rows_of([step_row(task, "a", state="complete")]))
    call(connection, "set_slots_of_steps", rows_of([{"step_id": task, "keys": ["k", "l"]}]), "{}")

    assert call(connection, "counter_mismatches") == []


def test_counters_that_are_wrong_missing_or_left_over_are_named(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_steps", rows_of([step_row(task, "a")]))
    call(connection, "set_slots_of_steps", rows_of([{"step_id": task, "keys": ["k", "l"]}]), "{}")
    connection.execute("update flowledger.state_count set steps_enqueued = 5, tasks_paused = 1")
    connection.execute("update flowledger.slot_count set in_use = 7 where limit_key = 'k'")
    connection.execute("delete from flowledger.slot_count where limit_key = 'l'")
    connection.execute("insert into flowledger.slot_count values ('m', 2)")

    assert sorted(call(connection, "counter_mismatches")) == [
        ("slot_count", "k", 1, 7),
        ("slot_count", "l", 1, 0),
        ("slot_count", "m", 0, 2),
        ("state_count", "steps_enqueued", 1, 5),
        ("state_count", "tasks_paused", 0, 1),
    ]


def test_no_counter_at_all_counts_as_nothing(connection: Connection) -> None:
    call(connection, "upsert_steps", rows_of([step_row(new_id(), "a")]))
    connection.execute("delete from flowledger.state_count")

    assert call(connection, "counter_mismatches") == [("state_count", "steps_enqueued", 1, 0)]
