"""forget_times_against_checks: rates and put back clocks that no check lets in, are forgotten."""

from __future__ import annotations

from support.sql_calls import Connection, call, table
from support.unchecked_rows import plant_on


def test_what_can_be_is_left(connection: Connection) -> None:
    connection.execute(
        "insert into flowledger.rate values ('k', now(), now());"
        " insert into flowledger.clock_put_back values (true, now(), now() + interval '1 hour')"
    )

    assert call(connection, "forget_times_against_checks") == [0]
    assert table(connection, "rate", "limit_key") == ["k"]
    assert table(connection, "clock_put_back", "one") == [True]


def test_what_cannot_be_is_forgotten(connection: Connection) -> None:
    plant_on(
        connection,
        "insert into flowledger.rate values ('well', now(), now()), ('far', 'infinity', now()),"
        " ('long ago', now(), '-infinity'), ('later', '250000-01-01', now())",
        "insert into flowledger.clock_put_back values (true, now(), '250000-01-01')",
    )

    assert call(connection, "forget_times_against_checks") == [4]
    assert table(connection, "rate", "limit_key") == ["well"]
    assert table(connection, "clock_put_back", "one") == []


def test_the_clock_has_a_row(connection: Connection) -> None:
    connection.execute("delete from flowledger.clock_offset")

    assert call(connection, "forget_times_against_checks") == [1]
    assert len(table(connection, "clock_offset", "shift")) == 1
