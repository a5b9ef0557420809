"""flowledger_v1.blocked_time: what was waited for, and for how long."""

from __future__ import annotations

from datetime import timedelta

from support.read_model_rows import blocked_minute, called
from support.sql_calls import Connection


def test_reasons_are_added_up_and_the_longest_is_first(connection: Connection) -> None:
    blocked_minute(connection, times=2, total_time="10 s", longest_time="7 s")
    blocked_minute(connection, ago=3, times=2, total_time="2 s", longest_time="1 s")
    blocked_minute(connection, reason="retry", times=1, total_time="60 s", longest_time="60 s")

    retry, queue = called(connection, "blocked_time")

    assert retry["reason"] == "retry"
    assert queue == {
        "reason": "queue",
        "times": 4,
        "total_seconds": 12,
        "avg_seconds": 3,
        "longest_seconds": 7,
        "as_of_position": None,
        "as_of": None,
    }


def test_it_can_be_asked_of_a_time_and_a_template(connection: Connection) -> None:
    blocked_minute(connection, ago=30)
    blocked_minute(connection, version="2", times=5)
    blocked_minute(connection, namespace="bank", template="loan", times=7)

    def times(*arguments: object, **named: object) -> int:
        return sum(row["times"] for row in called(connection, "blocked_time", *arguments, **named))

    assert times() == 13
    assert times(timedelta(minutes=20)) == 12
    assert times(of_namespace="shop") == 6
    assert times(of_template="loan") == 7
    assert times(of_version="2") == 5
