"""execution_status_from_counts: what SQL says of a task is what the domain says, whatever the
counts are.
"""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowledger.engine.domain.execution_status_from_counts import Counts, summary_of
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from support.sql_calls import Connection, call

FEW = st.sampled_from([0, 0, 1, 2, 7]) | st.integers(0, 10_000)
COUNTS = st.builds(
    Counts,
    task=st.sampled_from(TaskState),
    steps=st.fixed_dictionaries(dict.fromkeys(StepState, FEW)),
    ready=st.sampled_from([0, 0, 1, 5]),
    waiting=st.sampled_from([0, 0, 1, 5]),
    paused=st.booleans(),
    delayed=st.booleans(),
)


def in_sql(connection: Connection, counts: Counts) -> tuple[str, str, str, float]:
    steps = (counts.of(state) for state in StepState)
    (found,) = call(
        connection,
        "execution_status_from_counts",
        counts.task.value,
        *steps,
        counts.ready,
        counts.waiting,
        counts.paused,
        counts.delayed,
    )
    return found


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=COUNTS)
def test_sql_and_python_say_the_same_of_any_counts(connection: Connection, counts: Counts) -> None:
    said = summary_of(counts)

    assert in_sql(connection, counts) == (
        said.execution_status,
        said.recommended_action,
        said.health_status,
        said.completion_percentage,
    )


def test_an_argument_that_is_missing_is_refused(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedFunction):
        call(connection, "execution_status_from_counts", "pending", 1)


def test_it_may_stand_in_an_index_or_a_generated_column(connection: Connection) -> None:
    volatility = connection.execute(
        "select provolatile from pg_proc where proname = 'execution_status_from_counts'"
    ).fetchone()

    assert volatility == ("i",)
