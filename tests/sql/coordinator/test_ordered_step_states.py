"""ordered_step_states: the order in which steps are counted."""

from __future__ import annotations

from flowledger.engine.domain.machine.transitions import StepState
from support.sql_calls import Connection, call, table_columns


def test_they_are_those_of_the_domain(connection: Connection) -> None:
    assert call(connection, "ordered_step_states") == [[*StepState]]


def test_each_has_a_counter(connection: Connection) -> None:
    counters = [c for c in table_columns(connection, "state_count") if c.startswith("steps_")]

    assert counters == ["steps_of_tasks", *(f"steps_{state}" for state in StepState)]
