"""forget_rates: rates that hold nobody back any more."""

from __future__ import annotations

from datetime import timedelta

from support.sql_calls import Connection, call, now, rows_of, table


def test_a_rate_is_forgotten_a_minute_after_it_held_somebody_back(connection: Connection) -> None:
    at = now(connection)
    ages = {"long ago": -120, "just now": -30, "later": 60}
    rates = [
        {"limit_key": key, "old": None, "new": at + timedelta(seconds=age)}
        for key, age in ages.items()
    ]
    call(connection, "advance_rates", rows_of(rates))

    call(connection, "forget_rates")

    assert table(connection, "rate", "limit_key") == ["just now", "later"]
