"""upsert_steps: the readiness of steps, one row each."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowledger.engine.domain.machine.transitions import StepState
from support.builders import NOON
from support.sql_calls import Connection, call, new_id, rows_of, state_counts, step_row, table

FIELDS = ("task_id", "step", "state", "attempt", "stream_version", "due_at")


def test_rows_are_stored_and_replaced(connection: Connection) -> None:
    task = new_id()
    first = [step_row(task, "a"), step_row(task, "b")]
    call(connection, "upsert_steps", rows_of(first))
    changed = step_row(task, "b", state="waiting_for_retry", attempt=2, version=5, due_at=NOON)

    call(connection, "upsert_steps", rows_of([changed, step_row(task, "日本", state="complete")]))

    assert sorted(table(connection, "step", *FIELDS), key=lambda row: row[1]) == [
        (task, "a", "enqueued", 0, 1, None),
        (task, "b", "waiting_for_retry", 2, 5, NOON),
        (task, "日本", "complete", 0, 1, None),
    ]


def test_a_due_time_goes_when_it_is_over(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_steps", rows_of([step_row(task, due_at=NOON)]))

    call(connection, "upsert_steps", rows_of([step_row(task)]))

    assert table(connection, "step", "due_at") == [None]


def test_steps_of_other_tasks_are_left_alone(connection: Connection) -> None:
    one, two = new_id(), new_id()
    call(connection, "upsert_steps", rows_of([step_row(one), step_row(two)]))

    call(connection, "upsert_steps", rows_of([step_row(one, state="complete")]))

    assert set(table(connection, "step", "task_id", "state")) == {
        (one, "complete"),
        (two, "enqueued"),
    }


def test_steps_are_counted_where_they_stand(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_steps", rows_of([step_row(task, name) for name in "abc"]))
    changed = [step_row(task, "a", state="complete"), step_row(task, "b", state="error")]

    call(connection, "upsert_steps", rows_of([*changed, step_row(task, "d", state="pending")]))

    assert state_counts(connection) == {
        "steps_enqueued": 1,
        "steps_complete": 1,
        "steps_error": 1,
        "steps_pending": 1,
    }


def test_they_are_counted_by_the_shard(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_steps", rows_of([step_row(task)]), 2)

    call(connection, "upsert_steps", rows_of([step_row(task, state="complete")]), 2)

    assert table(connection, "state_count", "shard", "steps_enqueued", "steps_complete") == [
        (0, 0, 0),
        (2, 0, 1),
    ]


def test_what_is_rolled_back_is_not_counted(connection: Connection) -> None:
    with connection.transaction(force_rollback=True):
        call(connection, "upsert_steps", rows_of([step_row(new_id())]))

    assert state_counts(connection) == {}


ROUNDS = st.lists(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(StepState), min_size=1), max_size=6
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=ROUNDS)
def test_the_counters_are_what_a_count_finds(
    connection: Connection, rounds: list[dict[str, StepState]]
) -> None:
    with connection.transaction(force_rollback=True):
        task = new_id()
        for states in rounds:
            rows = [step_row(task, name, state=state) for name, state in states.items()]
            call(connection, "upsert_steps", rows_of(rows))
        counted = state_counts(connection)

        call(connection, "recount_states")

        assert counted == state_counts(connection)


def page_of(places: list[tuple[str, str]]) -> dict[str, str]:
    """The page of each row, by its name."""
    return {name: place.partition(",")[0] for name, place in places}


def test_rows_that_change_stay_on_their_page(connection: Connection) -> None:
    task = new_id()
    names = [f"s{number}" for number in range(300)]
    call(connection, "upsert_steps", rows_of([step_row(task, name) for name in names]))
    before = page_of(table(connection, "step", "step", "ctid"))

    changed = [step_row(task, name, state="complete", version=3) for name in names]
    call(connection, "upsert_steps", rows_of(changed))

    after = page_of(table(connection, "step", "step", "ctid"))
    assert len([name for name in names if before[name] != after[name]]) < 30
