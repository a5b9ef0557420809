"""record_clock_offset_change: who moves the engine's time is in the log, however it is moved."""

from __future__ import annotations

import json
from datetime import timedelta

import psycopg
import pytest

from flowledger.engine.domain.deterministic_ids import EPOCH
from support.sql_calls import Connection, call, now
from support.unchecked_rows import plant_on

TOLD = (
    "select e.topic, e.task_id, flowledger.payload_json(e.state, e.encoding)"
    " from flowledger.event as e order by e.notification_id"
)


def said(connection: Connection) -> list[dict[str, object]]:
    """What each event says of who moved the time, and how far."""
    found = []
    for topic, task, payload in connection.execute(TOLD).fetchall():
        assert (topic, task) == ("clock.moved", None)
        fields = payload if isinstance(payload, dict) else json.loads(payload)
        found.append({name: fields[name] for name in ("actor", "reason", "by_seconds")})
    return found


def test_a_word_that_was_given_is_for_one_move(connection: Connection) -> None:
    with connection.transaction():
        call(connection, "advance_test_clock", "1 s", 'a "b"\n', "why \\ not")
        connection.execute("update flowledger.clock_offset set shift = '0'")

    login = connection.execute("select session_user::text").fetchone()
    assert login is not None
    assert said(connection) == [
        {"actor": 'a "b"\n', "reason": "why \\ not", "by_seconds": 1},
        {"actor": login[0], "reason": "clock_offset was written", "by_seconds": -1},
    ]


def test_without_a_word_it_is_the_login_that_tests(connection: Connection) -> None:
    call(connection, "advance_test_clock", "0.5 s")

    (move,) = said(connection)
    assert (move["reason"], move["by_seconds"]) == ("a test moves the time", 0.5)


def test_a_row_that_is_put_where_it_was_gone_is_a_move(connection: Connection) -> None:
    connection.execute("delete from flowledger.clock_offset")
    connection.execute("insert into flowledger.clock_offset default values")
    assert said(connection) == []
    connection.execute("delete from flowledger.clock_offset")
    connection.execute("insert into flowledger.clock_offset (shift) values ('2 s')")

    assert [move["by_seconds"] for move in said(connection)] == [2]


@pytest.mark.parametrize("shift", ["200000 years", "-101 years", "infinity"])
@pytest.mark.parametrize(
    "statement",
    [
        "update flowledger.clock_offset set shift = '{}'",
        "select flowledger.advance_test_clock('{}')",
    ],
)
def test_a_time_that_is_centuries_away_is_refused(
    connection: Connection, statement: str, shift: str
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(statement.format(shift).encode())

    assert said(connection) == []


def test_what_moves_nothing_is_no_event(connection: Connection) -> None:
    call(connection, "advance_test_clock", "0 s")

    assert said(connection) == []


def test_a_move_that_is_taken_back_is_no_event(connection: Connection) -> None:
    with connection.transaction(force_rollback=True):
        call(connection, "advance_test_clock", "1 h")

    assert said(connection) == []


def test_a_time_of_no_calendar_is_recorded_as_the_last_that_an_event_may_say(
    connection: Connection,
) -> None:
    plant_on(connection, "update flowledger.clock_offset set shift = '250000 years'")
    plant_on(connection, "update flowledger.clock_offset set shift = '0'")

    rows = connection.execute(
        "select flowledger.payload_occurred_at(e.state, e.encoding) from flowledger.event as e"
    ).fetchall()
    times = [EPOCH + timedelta(microseconds=time) for (time,) in rows]
    assert times[0].year == 9999
    assert times[1] <= now(connection)
