"""json_is_readable: whether every reader takes a value, as the checks of columns have it."""

from __future__ import annotations

from sys import float_info

import pytest

from support.sql_calls import Connection

QUERY = "select flowledger.json_is_readable((%s)::text::jsonb)"
READABLE = [
    "null",
    "{}",
    '"text"',
    repr(float_info.max),
    repr(-float_info.max),
    str(2**64 - 1),
    str(-(2**63)),
    "1e-5000",
    "[" * 200 + "]" * 200,
    '{"a": [1, {"b": "1e5000"}]}',
]
UNREADABLE = [
    "1e5000",
    "-1e309",
    "9" * 4301,
    '[1, {"a": [1e400]}]',
    "[" * 202 + "]" * 202,
    '{"a":' * 300 + "1" + "}" * 300,
    "[" * 6000 + "]" * 6000,
]


@pytest.mark.parametrize("text", READABLE, ids=lambda text: text[:20])
def test_what_the_engine_stores_is(connection: Connection, text: str) -> None:
    assert connection.execute(QUERY.encode(), (text,)).fetchall() == [(True,)]


@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: text[:20])
def test_numbers_beyond_doubles_and_deep_nesting_are_not(connection: Connection, text: str) -> None:
    assert connection.execute(QUERY.encode(), (text,)).fetchall() == [(False,)]


def test_where_there_is_nothing_there_is_nothing_to_refuse(connection: Connection) -> None:
    assert connection.execute(QUERY.encode(), (None,)).fetchall() == [(True,)]
