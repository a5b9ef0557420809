"""next_timer: the time, and when to ask again."""

from __future__ import annotations

from datetime import timedelta

from flowledger.engine.domain.shard_assignment import shard_of
from support.builders import NOON
from support.sql_calls import Connection, call, new_id, now, rows_of, table, timer_row


def test_the_first_timer_is_told_whether_it_is_due_or_not(connection: Connection) -> None:
    timers = [timer_row(new_id(), NOON + timedelta(hours=n)) for n in (3, 1, 2)]
    call(connection, "upsert_timers", rows_of(timers))

    ((told, due_at),) = call(connection, "next_timer")

    assert due_at == NOON + timedelta(hours=1)
    assert timedelta() <= now(connection) - told < timedelta(minutes=5)


def test_without_a_timer_there_is_only_the_time(connection: Connection) -> None:
    call(connection, "advance_test_clock", timedelta(days=9))

    ((told, due_at),) = call(connection, "next_timer")

    assert due_at is None
    assert timedelta() <= now(connection) - told < timedelta(minutes=5)


def test_a_timer_of_another_shard_does_not_count(connection: Connection) -> None:
    tasks = [new_id() for _ in range(4)]
    timers = [timer_row(task, NOON + timedelta(hours=n)) for n, task in enumerate(tasks)]
    call(connection, "upsert_timers", rows_of(timers))

    for shard in range(2):
        mine = [row["due_at"] for row in timers if shard_of(row["task_id"], 2) == shard]
        assert call(connection, "next_timer", shard, 2)[0][1] == mine[0]


def test_the_end_of_a_workers_lease_is_told_until_it_has_run_out(connection: Connection) -> None:
    for seconds in (60.0, 30.0):
        call(connection, "heartbeat_worker", new_id(), "host", 1, seconds)
    moment = timedelta(milliseconds=1)
    ends = sorted(end + moment for end in table(connection, "worker", "lease_until"))

    assert call(connection, "next_timer")[0][1] == ends[0]

    call(connection, "advance_test_clock", timedelta(seconds=45))
    assert call(connection, "next_timer")[0][1] == ends[1]
