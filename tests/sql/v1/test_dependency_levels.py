"""dependency_levels: how far down in a task's graph each step is."""

from __future__ import annotations

from itertools import pairwise
from time import monotonic

from support.builders import diamond, step, template
from support.sql_calls import Connection, call_public
from support.stored_tasks import given_task, submitted


def test_a_level_is_the_length_of_the_longest_way(connection: Connection) -> None:
    flow = template(step("d", "a", "c"), step("a"), step("b", "a"), step("c", "b"), step("e"))

    assert call_public(connection, "dependency_levels", given_task(connection, flow)) == [
        ("a", 0),
        ("e", 0),
        ("b", 1),
        ("c", 2),
        ("d", 3),
    ]


def test_a_diamond_has_three_levels(connection: Connection) -> None:
    levels = call_public(connection, "dependency_levels", given_task(connection, diamond()))

    assert levels == [("start", 0), ("left", 1), ("right", 1), ("end", 2)]


def test_a_task_that_no_coordinator_has_met_has_no_levels_yet(connection: Connection) -> None:
    assert call_public(connection, "dependency_levels", submitted(connection)) == []


def test_6_ten_fully_connected_layers_of_four_have_forty_levels_to_tell(
    connection: Connection,
) -> None:
    rows = [[f"l{n}_{m}" for m in range(4)] for n in range(10)]
    steps = [step(name) for name in rows[0]]
    steps += [step(name, *above) for above, row in pairwise(rows) for name in row]
    task = given_task(connection, template(*steps))
    began = monotonic()

    levels = call_public(connection, "dependency_levels", task)

    assert monotonic() - began < 1
    assert levels == [(name, n) for n, row in enumerate(rows) for name in row]
