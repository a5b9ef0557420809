"""theoretical_arrival_times: when the next steps of rates would come."""

from __future__ import annotations

from support.sql_calls import Connection, call, now, rows_of


def test_only_rates_that_were_used_have_a_time(connection: Connection) -> None:
    time = now(connection)
    rows = [{"limit_key": key, "old": None, "new": time} for key in ("k", "l")]
    call(connection, "advance_rates", rows_of(rows))

    assert call(connection, "theoretical_arrival_times", ["k", "none"]) == [("k", time)]
