"""set_slots_of_steps: what steps hold, and the counts kept in line with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.sql_calls import Connection, call, new_id, table

STEPS = [new_id() for _ in range(4)]
HELD = st.dictionaries(st.sampled_from(STEPS), st.sets(st.sampled_from("abc")), max_size=4)


def hold(
    connection: Connection,
    holders: Mapping[UUID, Sequence[str]],
    most: Mapping[str, int] | None = None,
) -> list[str]:
    rows = [{"step_id": step, "keys": list(keys)} for step, keys in holders.items()]
    (freed,) = call(
        connection,
        "set_slots_of_steps",
        orjson.dumps(rows).decode(),
        orjson.dumps(most or {}).decode(),
    )
    return sorted(freed)


def test_a_step_holds_exactly_what_was_said_last(connection: Connection) -> None:
    one, two = STEPS[:2]
    hold(connection, {one: ["a", "b"], two: ["a"]})

    freed = hold(connection, {one: ["b", "c"]})

    assert freed == ["a"]
    assert table(connection, "slot", "step_id", "limit_key") == sorted(
        [(one, "b"), (one, "c"), (two, "a")], key=repr
    )
    assert table(connection, "slot_count", "limit_key", "in_use") == [("a", 1), ("b", 1), ("c", 1)]


def test_a_slot_that_passes_from_one_step_to_another_is_not_counted_twice(
    connection: Connection,
) -> None:
    one, two = STEPS[:2]
    hold(connection, {one: ["a"]}, {"a": 0})

    assert hold(connection, {one: [], two: ["a"]}, {"a": 1}) == []

    assert table(connection, "slot_count", "limit_key", "in_use") == [("a", 1)]


def test_the_same_again_changes_nothing(connection: Connection) -> None:
    hold(connection, {STEPS[0]: ["a"]}, {"a": 0})

    assert hold(connection, {STEPS[0]: ["a"]}, {"a": 0}) == []

    assert table(connection, "slot_count", "limit_key", "in_use") == [("a", 1)]


def test_too_many_in_use_refuse_all_of_it(connection: Connection) -> None:
    hold(connection, {STEPS[0]: ["a"]})

    with pytest.raises(psycopg.DatabaseError) as caught:
        hold(connection, {STEPS[1]: ["b", "a"]}, {"a": 0, "b": 0})

    assert caught.value.sqlstate == "FL006"
    assert table(connection, "slot", "limit_key") == ["a"]


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(HELD, max_size=6))
def test_the_counts_are_those_of_the_rows(
    connection: Connection, history: list[dict[UUID, set[str]]]
) -> None:
    connection.execute("truncate flowledger.slot, flowledger.slot_count")
    expected: dict[UUID, set[str]] = {}
    for holders in history:
        before = [key for keys in expected.values() for key in keys]
        expected |= holders
        after = [key for keys in expected.values() for key in keys]

        freed = hold(connection, {step: sorted(keys) for step, keys in holders.items()})

        assert freed == sorted(key for key in "abc" if after.count(key) < before.count(key))

    counts = [key for keys in expected.values() for key in keys]
    assert table(connection, "slot_count", "limit_key", "in_use") == [
        (key, counts.count(key)) for key in sorted(set(counts))
    ]
