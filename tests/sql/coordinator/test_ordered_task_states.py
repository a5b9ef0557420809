"""ordered_task_states: the order in which tasks are counted."""

from __future__ import annotations

from flowledger.engine.domain.machine.transitions import TaskState
from support.sql_calls import Connection, call, table_columns

STORED = [state for state in TaskState if state is not TaskState.SUBMITTED]


def test_they_are_those_of_the_domain_that_have_a_row(connection: Connection) -> None:
    assert call(connection, "ordered_task_states") == [STORED]


def test_each_has_a_counter(connection: Connection) -> None:
    counters = [c for c in table_columns(connection, "state_count") if c.startswith("tasks_")]

    assert counters == [*(f"tasks_{state}" for state in STORED), "tasks_paused"]
