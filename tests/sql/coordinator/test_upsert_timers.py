"""upsert_timers: at most one timer a step."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from support.builders import NOON
from support.sql_calls import Connection, call, new_id, rows_of, table, timer_row

LATER = NOON + timedelta(microseconds=1)


def test_a_second_timer_of_a_step_replaces_the_first(connection: Connection) -> None:
    one, two = new_id(), new_id()
    call(connection, "upsert_timers", rows_of([timer_row(one, NOON), timer_row(two, NOON)]))

    call(connection, "upsert_timers", rows_of([timer_row(one, LATER, kind="timeout")]))

    assert set(table(connection, "timer", "task_id", "step", "kind", "due_at")) == {
        (one, "a", "timeout", LATER),
        (two, "a", "retry", NOON),
    }


def test_a_timer_of_no_known_kind_is_refused(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        call(connection, "upsert_timers", rows_of([timer_row(new_id(), NOON, kind="alarm")]))
