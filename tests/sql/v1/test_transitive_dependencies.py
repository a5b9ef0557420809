"""transitive_dependencies: all that a step depends on, once each."""

from __future__ import annotations

from itertools import pairwise
from time import monotonic

import psycopg
import pytest

from support.builders import diamond, step, template
from support.sql_calls import Connection, call_public
from support.stored_tasks import given_task


def test_ancestors_are_told_with_their_distance_and_state(connection: Connection) -> None:
    task = given_task(
        connection,
        diamond(),
        {"step": "start", "state": "complete"},
        {"step": "left", "state": "skipped"},
    )

    assert call_public(connection, "transitive_dependencies", task, "end") == [
        ("left", 1, "skipped", False),
        ("right", 1, "pending", False),
        ("start", 2, "complete", True),
    ]
    assert call_public(connection, "transitive_dependencies", task, "start") == []


def test_of_several_ways_the_shortest_counts(connection: Connection) -> None:
    flow = template(step("a"), step("b", "a"), step("c", "b"), step("d", "c", "a"))

    rows = call_public(connection, "transitive_dependencies", given_task(connection, flow), "d")

    assert [row[:2] for row in rows] == [("a", 1), ("c", 1), ("b", 2)]


def test_a_step_that_there_is_not_is_named(connection: Connection) -> None:
    task = given_task(connection, diamond())

    with pytest.raises(psycopg.errors.NoDataFound, match="ends"):
        call_public(connection, "transitive_dependencies", task, "ends")


def test_6_nodes_are_told_and_not_ways(connection: Connection) -> None:
    rows = [[f"l{n}_{m}" for m in range(4)] for n in range(10)]
    steps = [step(name) for name in rows[0]]
    steps += [step(name, *above) for above, row in pairwise(rows) for name in row]
    task = given_task(connection, template(*steps))
    began = monotonic()

    found = call_public(connection, "transitive_dependencies", task, "l9_0")

    assert monotonic() - began < 1
    assert [(name, distance) for name, distance, *_ in found] == [
        (name, 9 - n) for n in range(8, -1, -1) for name in rows[n]
    ]


def test_6_a_chain_of_a_thousand_has_999_ancestors(connection: Connection) -> None:
    names = [f"s{n}" for n in range(1_000)]
    steps = [step(names[0]), *(step(name, above) for above, name in pairwise(names))]
    task = given_task(connection, template(*steps))
    began = monotonic()

    found = call_public(connection, "transitive_dependencies", task, names[-1])

    assert monotonic() - began < 2
    assert [distance for _, distance, *_ in found] == list(range(1, 1_000))
