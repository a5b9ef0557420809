"""payload_json: what an event holds, as JSON that Postgres can read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowledger.engine.events.step import StepLeaseExpired
from flowledger.engine.store.log.event_mapper import COLUMNS, EventMapper
from flowledger.engine.store.log.payload_header import header_of
from support.builders import NOON, event
from support.sql_calls import Connection

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["\x00", "\\u0000", "\\\x00", '"\x00"', "\\\\u0000"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def payload(connection: Connection, state: bytes, encoding: int = 0) -> Any:
    row = connection.execute(
        "select flowledger.payload_json(%b, %s::smallint)", (state, encoding)
    ).fetchone()
    assert row is not None
    return row[0]


def shown(value: Any) -> Any:
    """The value as Postgres can hold it."""
    match value:
        case str():
            return value.replace("\x00", "\ufffd")
        case list():
            return [shown(item) for item in value]
        case dict():
            return {shown(key): shown(item) for key, item in value.items()}
        case _:
            return value


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON)
def test_it_is_what_was_written_but_for_nul(connection: Connection, value: Any) -> None:
    assert payload(connection, orjson.dumps({"value": value})) == {"value": shown(value)}


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    event_id=st.uuids(),
    cause=st.none() | st.uuids(),
    moment=st.datetimes(timezones=st.just(UTC)),
    value=TEXT,
)
def test_a_head_is_read_as_the_fields_that_it_stands_for(
    connection: Connection, event_id: UUID, cause: UUID | None, moment: datetime, value: str
) -> None:
    fields = {"event_id": event_id, "occurred_at": moment, "causation_id": cause}

    found = payload(connection, header_of(fields) + orjson.dumps({"value": value}))

    assert found == {
        "event_id": str(event_id),
        "occurred_at": f"{moment.year:04}{moment:-%m-%dT%H:%M:%S.%fZ}",
        **({"causation_id": str(cause)} if cause else {}),
        "value": shown(value),
    }
    assert datetime.fromisoformat(found["occurred_at"]) == moment


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cause=st.none() | st.uuids(),
    worker=st.none() | st.uuids(),
    names=st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=3, max_size=3),
    attempt=st.integers(0, 2**31 - 1),
)
def test_names_in_the_head_are_read_as_the_mapper_reads_them(
    connection: Connection, cause: UUID | None, worker: UUID | None, names: list[str], attempt: int
) -> None:
    namespace, template, step = names
    told = event(StepLeaseExpired, 2, step="a", worker=worker, causation_id=cause).model_copy(
        update={"namespace": namespace, "template": template, "step": step, "attempt": attempt}
    )

    found = payload(connection, EventMapper().payload(told))

    said = told.model_dump(mode="json", exclude={*COLUMNS, "schema_version"}, exclude_none=True)
    assert found == {**shown(said), "occurred_at": f"{NOON:%Y-%m-%dT%H:%M:%S.%fZ}"}


@pytest.mark.parametrize(
    "state",
    [
        b"no json", b"\xff", b"", b'{"a":', b"\1", b"\1" * 26, b"\2" * 30 + b"{}", b"\7{}",
        b"\3{}", b"\3" + bytes(24), b"\3" + bytes(24) + b"\1a{}",
        b"\3" + bytes(24) + b"\7a/b/c/d{}", b"\3" + bytes(24) + b"\5a/b/c\0",
        b"\3" + bytes(24) + b"\3a/\xff{}", b"\5" + bytes(30),
        b"[" * 20_000 + b"]" * 20_000, rb'{"a":"\u0000","b":1e400000}', rb'["\u0000","\ud800"]',
        rb'["\u0000"', rb'["\u0000",' + b"[" * 20_000 + b"]" * 20_001,
    ],
    ids=lambda state: repr(state[:12]),
)  # fmt: skip
def test_what_cannot_be_read_is_null(connection: Connection, state: bytes) -> None:
    assert payload(connection, state) is None


def test_what_is_encoded_is_null(connection: Connection) -> None:
    assert payload(connection, b"{}", 1) is None


@pytest.mark.parametrize(
    ("time", "shown_as"),
    [
        (2**63 - 1, "9999-12-31T23:59:59.999999Z"),
        (-(2**63), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_that_no_calendar_has_is_the_nearest(
    connection: Connection, time: int, shown_as: str
) -> None:
    head = b"\1" + bytes(16) + time.to_bytes(8, signed=True)

    assert payload(connection, head + b"{}")["occurred_at"] == shown_as


@pytest.mark.parametrize("inside", ["1", '"\\u0000"', f'"{"x" * 600}"'])
def test_a_payload_that_is_nested_deeper_than_any_release_writes_is_null(
    connection: Connection, inside: str
) -> None:
    def nested(levels: int) -> bytes:
        return ('{"a":' * levels + inside + "}" * levels).encode()

    assert payload(connection, nested(254)) is not None
    for levels in (255, 1_000, 4_000):
        assert payload(connection, nested(levels)) is None


@pytest.mark.parametrize("number", ["1e309", "-1E5000", "1.0e+400", "1" + "0" * 400, "[7, 1e999]"])
def test_a_payload_with_a_number_that_no_float_holds_is_null(
    connection: Connection, number: str
) -> None:
    for part in (number, f'["\\u0000", {number}]'):
        assert payload(connection, f'{{"a": {part}}}'.encode()) is None


@pytest.mark.parametrize("number", ["1e308", "-1.7976931348623157e308", "1e-400", '"1e5000"'])
def test_a_payload_with_a_number_of_a_float_is_as_it_is(
    connection: Connection, number: str
) -> None:
    assert set(payload(connection, f'{{"a": {number}}}'.encode())) == {"a"}
