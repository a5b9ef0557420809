"""log_and_trigger_faults: the guard of the log, the clock, and the order of recording."""

from __future__ import annotations

from uuid import UUID

import pytest

from support.sql_calls import Connection, Row, append, call, new_id


def found(connection: Connection) -> list[str]:
    return [field for _, field, *_ in call(connection, "log_and_trigger_faults", 10)]


def test_nothing_is_wrong_with_a_log_that_nobody_touched(connection: Connection) -> None:
    append(connection, Row(new_id()), Row(new_id()))

    assert found(connection) == []


@pytest.mark.parametrize(
    "statement",
    [
        "alter table flowledger.event disable trigger user",
        "drop trigger event_is_append_only on flowledger.event",
        "alter table flowledger.event enable replica trigger event_is_append_only",
        "create or replace trigger event_is_append_only before truncate on flowledger.event"
        " for each statement execute function flowledger.refuse_log_change()",
        "create or replace trigger event_is_append_only"
        " before update or delete or truncate on flowledger.event"
        " for each statement when (false) execute function flowledger.refuse_log_change()",
        "create or replace function flowledger.refuse_log_change() returns trigger"
        " language plpgsql as 'begin return null; end'",
    ],
)
def test_a_guard_that_is_off_is_named(connection: Connection, statement: str) -> None:
    connection.execute(statement.encode())

    assert found(connection) == ["trigger event_is_append_only"]


def test_a_clock_that_was_moved_is_named(connection: Connection) -> None:
    call(connection, "advance_test_clock", "1 hour")

    assert found(connection) == ["shift"]


def test_a_clock_that_lost_its_offset_is_named(connection: Connection) -> None:
    connection.execute("delete from flowledger.clock_offset")

    assert found(connection) == ["row"]


def test_events_that_were_recorded_before_the_one_in_front_are_named(
    connection: Connection,
) -> None:
    append(connection, Row(new_id()))
    (position,) = append(connection, Row(new_id()))
    connection.execute("alter table flowledger.event disable trigger user")
    connection.execute(
        "update flowledger.event set recorded_at = recorded_at - interval '1 s'"
        " where notification_id = %s",
        (position,),
    )
    connection.execute("alter table flowledger.event enable trigger user")

    ((subject, field, *_),) = call(connection, "log_and_trigger_faults", 10)
    assert (subject, field) == (f"position {position}", "recorded_at")


def moved(connection: Connection, change: str, task: UUID) -> list[tuple[str, str]]:
    """Change a task's events; the subjects and fields that are wrong then."""
    connection.execute("alter table flowledger.event disable trigger user")
    connection.execute(
        f"update flowledger.event set {change} where task_id = %s".encode(),  # noqa: S608
        (task,),
    )
    connection.execute("alter table flowledger.event enable trigger user")
    return [
        (subject, field) for subject, field, *_ in call(connection, "log_and_trigger_faults", 10)
    ]


@pytest.mark.parametrize("by", ["- interval '1 s'", "+ interval '1 s'"])
def test_a_task_whose_times_were_all_moved_is_told_by_its_neighbours(
    connection: Connection, by: str
) -> None:
    task, other = new_id(), new_id()
    append(connection, Row(other, task=other))
    (first,) = append(connection, Row(task, task=task))
    append(connection, Row(task, 2, task=task))
    (behind,) = append(connection, Row(other, 2, task=other))

    named = first if "-" in by else behind
    assert moved(connection, f"recorded_at = recorded_at {by}", task) == [
        (f"position {named}", "recorded_at")
    ]


def test_events_that_are_yet_to_be_recorded_are_named_by_the_range(
    connection: Connection,
) -> None:
    task, other = new_id(), new_id()
    first, _, last = [append(connection, Row(task, n, task=task))[0] for n in (1, 2, 3)]
    append(connection, Row(other, task=other))
    (alone,) = append(connection, Row(task, 4, task=task))

    change = "recorded_at = recorded_at + interval '1 h'"
    named = moved(connection, change, task)

    assert (f"positions {first} to {last}", "recorded_at") in named
    assert (f"position {alone}", "recorded_at") in named
    ahead = [
        (expected, found[:20])
        for *_, expected, found, _ in call(connection, "log_and_trigger_faults", 10)
        if expected == "past"
    ]
    assert ahead == [("past", "in the future, up to")] * 2


@pytest.mark.parametrize(
    ("state", "encoding", "said"),
    [
        (b"{}", 0, 1),
        (b"\x78\x9c\x03", 1, 0),
        (b"{}", 0, 7),
        (b"\x01" + bytes(24) + b"{}", 0, 1),
        (b"\x06" + bytes(56) + b"\x05a/b/c\0\1", 0, 1),
        (b"\x07" + bytes(24) + b"{}", 1, 0),
    ],
)
def test_a_payload_that_is_in_another_encoding_than_it_says_is_named(
    connection: Connection, state: bytes, encoding: int, said: int
) -> None:
    task = new_id()
    (position,) = append(connection, Row(task, task=task, state=state, encoding=encoding))
    assert found(connection) == []

    assert moved(connection, f"encoding = {said}", task) == [(f"position {position}", "encoding")]
