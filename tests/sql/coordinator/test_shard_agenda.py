"""shard_agenda: the time, when to ask again, and for what there is to ask."""

from __future__ import annotations

from datetime import timedelta

from flowledger.engine.domain.shard_assignment import shard_of
from support.builders import NOON
from support.sql_calls import Connection, call, new_id, now, rows_of, table, timer_row


def test_the_first_timer_is_told_whether_it_is_due_or_not(connection: Connection) -> None:
    timers = [timer_row(new_id(), NOON + timedelta(hours=n)) for n in (3, 1, 2)]
    call(connection, "upsert_timers", rows_of(timers))

    ((told, due_at, *_),) = call(connection, "shard_agenda")

    assert due_at == NOON + timedelta(hours=1)
    assert timedelta() <= now(connection) - told < timedelta(minutes=5)


def test_without_a_timer_there_is_only_the_time(connection: Connection) -> None:
    call(connection, "advance_test_clock", timedelta(days=9))

    ((told, due_at, *_),) = call(connection, "shard_agenda")

    assert due_at is None
    assert timedelta() <= now(connection) - told < timedelta(minutes=5)


def test_a_timer_of_another_shard_does_not_count(connection: Connection) -> None:
    tasks = [new_id() for _ in range(4)]
    timers = [timer_row(task, NOON + timedelta(hours=n)) for n, task in enumerate(tasks)]
    call(connection, "upsert_timers", rows_of(timers))

    for shard in range(2):
        mine = [row["due_at"] for row in timers if shard_of(row["task_id"], 2) == shard]
        assert call(connection, "shard_agenda", shard, 2)[0][1] == mine[0]


def test_the_end_of_a_workers_lease_is_told_until_it_has_run_out(connection: Connection) -> None:
    for seconds in (60.0, 30.0):
        call(connection, "heartbeat_worker", new_id(), "host", 1, seconds)
    moment = timedelta(milliseconds=1)
    ends = sorted(end + moment for end in table(connection, "worker", "lease_until"))

    assert call(connection, "shard_agenda")[0][2] == ends[0]

    call(connection, "advance_test_clock", timedelta(seconds=45))
    assert call(connection, "shard_agenda")[0][2] == ends[1]


def test_it_tells_what_there_is_to_be_read(connection: Connection) -> None:
    task, worker = new_id(), new_id()
    assert agenda(connection) == (False, False, False, False)
    call(connection, "upsert_timers", rows_of([timer_row(task, now(connection))]))
    assert agenda(connection) == (True, False, False, False)
    call(connection, "heartbeat_worker", worker, "host", 1, 1.0)
    call(connection, "advance_test_clock", timedelta(seconds=2))
    assert agenda(connection) == (True, True, False, False)
    left = ["a"], [new_id()], ["task.created"], [b"{}"], [0]
    call(connection, "submit_in_callers_transaction", *left)
    assert agenda(connection) == (True, True, True, False)
    park = (
        "insert into flowledger.parked_task (task_id, reason, parked_at, tried_at, wanted)"
        " values (%s, 'odd', now(), now(), true)"
    )
    connection.execute(park, (new_id(),))
    assert agenda(connection) == (True, True, True, True)


def agenda(connection: Connection) -> tuple[bool, ...]:
    """Whether there are due timers, dead workers, submissions, and tasks to be tried again."""
    ((_, _, _, *there),) = call(connection, "shard_agenda")
    return tuple(there)
