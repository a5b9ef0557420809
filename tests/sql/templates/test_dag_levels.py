"""dag_levels: how far down in a graph every node is."""

from __future__ import annotations

from time import monotonic

import psycopg
import pytest

from support.sql_calls import Connection, call

Edge = tuple[int, int]


def levels(connection: Connection, nodes: int, edges: list[Edge]) -> list[int]:
    ordered = sorted(edges)
    parents, children = [e[0] for e in ordered], [e[1] for e in ordered]
    query = "select flowledger.dag_levels(%s, %s::integer[], %s::integer[])"
    row = connection.execute(query, (nodes, parents, children)).fetchone()
    assert row is not None
    found: list[int] = row[0]
    return found


def test_a_node_is_as_deep_as_the_longest_way_to_it(connection: Connection) -> None:
    shortcut = [(0, 1), (1, 2), (2, 3), (0, 3)]

    assert levels(connection, 5, shortcut) == [0, 1, 2, 3, 0]


def test_nodes_may_be_numbered_in_any_order(connection: Connection) -> None:
    assert levels(connection, 4, [(3, 1), (1, 0), (3, 2), (2, 0)]) == [2, 1, 1, 0]


def test_a_graph_may_have_no_edges_and_no_nodes(connection: Connection) -> None:
    assert levels(connection, 3, []) == [0, 0, 0]
    assert levels(connection, 0, []) == []
    assert call(connection, "dag_levels", 2, None, None) == [[0, 0]]


@pytest.mark.parametrize("edges", [[(0, 0)], [(0, 1), (1, 2), (2, 1)]])
def test_a_cycle_is_refused(connection: Connection, edges: list[Edge]) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="the dependencies form a cycle"):
        levels(connection, 3, edges)


def test_every_edge_is_looked_at_once_however_many_ways_there_are(connection: Connection) -> None:
    """Forty layers of four, each connected with all of the next: 4 to the 40th ways."""
    edges = [(4 * n + a, 4 * n + 4 + b) for n in range(39) for a in range(4) for b in range(4)]
    began = monotonic()

    assert levels(connection, 160, edges) == [n // 4 for n in range(160)]
    assert monotonic() - began < 5
