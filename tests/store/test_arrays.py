"""Arrays in binary: what goes into Postgres comes out of it."""

from __future__ import annotations

import struct
from collections.abc import Generator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import TupleRow

from flowledger.engine.store.connection.arrays import (
    Array,
    BigintArray,
    ByteaArray,
    TextArray,
    UuidArray,
    register_arrays,
)

Connection = psycopg.Connection[TupleRow]

BIGINTS = st.integers(-(2**63), 2**63 - 1)
# Postgres holds no null character in a text.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
KINDS: dict[type[Array], tuple[str, st.SearchStrategy[Any]]] = {
    UuidArray: ("uuid[]", st.none() | st.uuids()),
    BigintArray: ("bigint[]", BIGINTS),
    TextArray: ("text[]", st.none() | TEXTS),
    ByteaArray: ("bytea[]", st.binary(max_size=60)),
}


@pytest.fixture(scope="module")
def shared(server: str) -> Generator[Connection]:
    with psycopg.connect(server, autocommit=True) as connection:
        yield connection


def returned(connection: Connection, value: Array) -> tuple[Any, str]:
    row = connection.execute(
        "select a, pg_typeof(a)::text from (select %b) as one (a)", (value,)
    ).fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_goes_in_comes_out(shared: Connection, kind: Any, data: st.DataObject) -> None:
    name, elements = KINDS[kind]
    values = data.draw(st.lists(elements, max_size=20))

    assert returned(shared, kind(values)) == (values, name)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        pytest.param(UuidArray, [], id="no uuids"),
        pytest.param(BigintArray, [], id="no bigints"),
        pytest.param(TextArray, [], id="no texts"),
        pytest.param(ByteaArray, [], id="no bytes"),
        pytest.param(UuidArray, [None, None], id="nulls alone"),
        pytest.param(TextArray, ["", None, "NULL", '{"a,b"}', "日本 🜁"], id="odd texts"),
        pytest.param(ByteaArray, [b"", b"\0\xff" * 500_000], id="a megabyte"),
        pytest.param(BigintArray, list(range(50_000)), id="many"),
    ],
)
def test_the_odd_ones_come_out_too(shared: Connection, kind: Any, values: list[Any]) -> None:
    assert returned(shared, kind(values))[0] == values


def test_a_number_that_is_no_bigint_is_refused() -> None:
    with pytest.raises(struct.error):
        BigintArray([2**63])


def test_a_connection_that_was_open_before_can_be_taught(shared: Connection) -> None:
    cursor = shared.cursor()
    register_arrays(cursor.adapters)

    assert cursor.execute("select %b", (TextArray(["x"]),)).fetchall() == [(["x"],)]
