"""due_timers: what has come due by the engine's clock."""

from __future__ import annotations

from datetime import timedelta

from flowledger.engine.domain.shard_assignment import shard_of
from support.sql_calls import Connection, call, new_id, now, rows_of, timer_row

HOUR = timedelta(hours=1)


def test_the_longest_due_come_first_and_the_future_waits(connection: Connection) -> None:
    at, task = now(connection), new_id()
    timers = [
        timer_row(task, at - HOUR, "late"),
        timer_row(task, at + HOUR, "soon", "timeout"),
        timer_row(task, at - 2 * HOUR, "later"),
    ]
    call(connection, "upsert_timers", rows_of(timers))

    due = [(task, "later", "retry"), (task, "late", "retry")]
    assert call(connection, "due_timers", 10) == due
    assert call(connection, "due_timers", 1) == due[:1]

    call(connection, "advance_test_clock", 2 * HOUR)

    assert call(connection, "due_timers", 10) == [*due, (task, "soon", "timeout")]


def test_asking_takes_nothing_away(connection: Connection) -> None:
    call(connection, "upsert_timers", rows_of([timer_row(new_id(), now(connection))]))

    assert call(connection, "due_timers", 10) == call(connection, "due_timers", 10) != []


def test_a_timer_is_told_to_the_shard_of_its_task(connection: Connection) -> None:
    tasks = [new_id() for _ in range(6)]
    timers = [timer_row(task, now(connection) - HOUR) for task in tasks]
    call(connection, "upsert_timers", rows_of(timers))

    for shard in range(3):
        mine = {(task, "a", "retry") for task in tasks if shard_of(task, 3) == shard}
        assert set(call(connection, "due_timers", 10, shard, 3)) == mine != set()


def test_the_timers_of_parked_tasks_are_left_out(connection: Connection) -> None:
    task, other = new_id(), new_id()
    rows = [timer_row(one, now(connection) - HOUR) for one in (task, other)]
    call(connection, "upsert_timers", rows_of(rows))
    call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
    call(connection, "park_tasks", 0, 1, 0, [task], ["it"])

    assert call(connection, "due_timers", 10) == [(other, "a", "retry")]
    ((_, due_at, *_),) = call(connection, "shard_agenda")
    assert due_at == rows[1]["due_at"]
