"""What the server says, and which of the engine's errors that is."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import InterfaceError, OperationalError, ProgrammingError
from psycopg.errors import lookup

from flowledger.engine.errors import (
    AccessDenied,
    DatabaseBusy,
    DatabaseUnavailable,
    EngineError,
    LeadershipLost,
    StatementRefused,
    StreamMoved,
)
from flowledger.engine.store.connection.errors import MEANINGS, translate_errors

SAY = "do $$ begin raise exception 'said' using errcode = '{}', detail = 'secret'; end $$"


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        ("08006", DatabaseUnavailable),
        ("25P03", DatabaseUnavailable),
        ("53300", DatabaseUnavailable),
        ("57P01", DatabaseUnavailable),
        ("57P02", DatabaseUnavailable),
        ("57P03", DatabaseUnavailable),
        ("57P05", DatabaseUnavailable),
        ("25006", DatabaseBusy),
        ("40001", DatabaseBusy),
        ("40P01", DatabaseBusy),
        ("53100", DatabaseBusy),
        ("53200", DatabaseBusy),
        ("55P03", DatabaseBusy),
        ("57014", DatabaseBusy),
        ("58030", DatabaseBusy),
        ("22003", StatementRefused),
        ("23514", StatementRefused),
        ("42501", AccessDenied),
        ("P0001", StatementRefused),
        ("XX000", StatementRefused),
        ("FL001", StatementRefused),
        ("FL002", LeadershipLost),
        ("FL006", StreamMoved),
        ("FL009", StreamMoved),
        ("23505", StreamMoved),
    ],
)
def test_each_code_has_one_meaning(
    connection: psycopg.Connection[Any], state: str, meaning: type[EngineError]
) -> None:
    with pytest.raises(EngineError) as caught, translate_errors():
        connection.execute(SAY.format(state).encode())

    assert type(caught.value) is meaning
    if meaning not in {StreamMoved, LeadershipLost}:
        assert caught.value.sqlstate == state  # type: ignore[attr-defined]
        assert f"said (SQLSTATE {state})" in str(caught.value)
        assert "secret" not in str(caught.value)


def test_a_number_of_the_schemas_own_is_raised_as_it_is(
    connection: psycopg.Connection[Any],
) -> None:
    with pytest.raises(psycopg.Error, match="said"), translate_errors():
        connection.execute(SAY.format("FL008").encode())


@pytest.mark.parametrize("error", [OperationalError, InterfaceError, ProgrammingError])
def test_what_the_library_wraps_means_what_the_server_said(error: type[Exception]) -> None:
    with pytest.raises(DatabaseBusy) as caught, translate_errors():
        raise error("disk full") from lookup("53100")("disk full")

    assert caught.value.sqlstate == "53100"


@pytest.mark.parametrize("error", [psycopg.OperationalError, psycopg.InterfaceError])
def test_without_a_code_the_connection_is_gone(error: type[Exception]) -> None:
    with pytest.raises(DatabaseUnavailable, match="the connection is lost"), translate_errors():
        raise error("the connection is lost")


def test_what_psycopg_was_asked_wrongly_is_a_bug_and_raised_as_it_is() -> None:
    with pytest.raises(psycopg.ProgrammingError), translate_errors():
        raise psycopg.ProgrammingError("the query has 1 placeholder but 2 parameters were passed")


def test_every_code_of_the_schema_has_an_error(connection: psycopg.Connection[Any]) -> None:
    """And none is listed that no function raises."""
    found = connection.execute(
        "select distinct m[1] from pg_proc,"
        " regexp_matches(prosrc, E'errcode = \\'(FL[0-9]+)', 'g') as m"
    ).fetchall()

    assert {code for (code,) in found} == set(MEANINGS)
