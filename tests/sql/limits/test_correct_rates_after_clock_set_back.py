"""correct_rates_after_clock_set_back: a rate moved by a clock that was ahead holds back no
longer.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from support.sql_calls import Connection, call, now, table

ROW = """
    insert into flowledger.rate (limit_key, expected_at, set_at)
    values (%s, flowledger.clock() + '20 s', flowledger.clock())
"""


def test_what_was_left_of_it_then_is_left_now(connection: Connection) -> None:
    connection.execute(ROW, ("right",))
    before = table(connection, "rate", "expected_at")
    call(connection, "advance_test_clock", timedelta(hours=1))
    connection.execute(ROW, ("wrong",))
    call(connection, "advance_test_clock", timedelta(hours=-1))

    call(connection, "correct_rates_after_clock_set_back")

    right, wrong = sorted(table(connection, "rate", "limit_key", "expected_at"))
    assert [right[1]] == before
    assert abs(wrong[1] - now(connection) - timedelta(seconds=20)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("expected_at", "set_at"),
    [
        ("infinity", "-infinity"),
        ("infinity", None),
        ("250000-01-01", "2026-01-01"),
        ("2026-01-01", "infinity"),
    ],
)
def test_what_no_clock_can_have_set_holds_nobody_back(
    connection: Connection, expected_at: str, set_at: str | None
) -> None:
    connection.execute("alter table flowledger.rate drop constraint rate_times_check")
    connection.execute("insert into flowledger.rate values ('k', %s, %s)", (expected_at, set_at))

    call(connection, "correct_rates_after_clock_set_back")

    ((expected, moved),) = table(connection, "rate", "expected_at", "set_at")
    assert expected <= moved <= now(connection)
