"""readable_json: a value that every client can read, or null."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection, call


@pytest.mark.parametrize("text", ["{}", "[]", "null", "7", '{"a": [1, {"b": null}]}', '""'])
def test_an_ordinary_value_is_as_it_is(connection: Connection, text: str) -> None:
    assert call(connection, "readable_json", text) == [
        connection.execute("select %s::jsonb", (text,)).fetchall()[0][0]
    ]


@pytest.mark.parametrize("inside", ["", "7", '"a"'])
@pytest.mark.parametrize(("begins", "ends"), [("[", "]"), ('[1, {"a": ', "}]")])
def test_what_is_nested_deeper_is_null(
    connection: Connection, begins: str, ends: str, inside: str
) -> None:
    def nested(levels: int) -> str:
        times = levels // (len(ends))
        return begins * times + (inside or "[]") + ends * times

    most = 254 if inside else 253
    query = "select flowledger.readable_json(%s::jsonb) is null"
    for levels, null in ((most - most % len(ends), False), (256, True), (4_000, True)):
        assert connection.execute(query.encode(), (nested(levels),)).fetchall() == [(null,)]


def test_there_is_none_for_none(connection: Connection) -> None:
    assert call(connection, "readable_json", None) == [None]


@pytest.mark.parametrize("text", ["1e309", '{"a": [-1e5000]}', "1" + "0" * 309])
def test_a_number_that_no_float_holds_makes_it_null(connection: Connection, text: str) -> None:
    assert call(connection, "readable_json", text) == [None]


@pytest.mark.parametrize("text", ["1.7976931348623157e308", "-1e308", "1e-400"])
def test_a_number_that_a_float_holds_does_not(connection: Connection, text: str) -> None:
    assert call(connection, "readable_json", text) != [None]
