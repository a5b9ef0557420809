"""role_grant_statements: the statements that let a role do its work."""

from __future__ import annotations

import psycopg
import pytest

from support.sql_calls import Connection, call

WRITTEN = "originator_id, originator_version, task_id, topic, state, encoding"
"""All of an event but its place in the log, and when it was recorded."""


def test_a_reader_has_the_public_schema_alone(connection: Connection) -> None:
    assert call(connection, "role_grant_statements", "reader") == [
        "select flowledger.close_to_public()",
        "revoke all on all tables in schema flowledger, flowledger_v1 from flowledger_reader",
        "revoke all on all functions in schema flowledger, flowledger_v1 from flowledger_reader",
        "revoke all on schema flowledger from flowledger_reader",
        "grant usage on schema flowledger_v1 to flowledger_reader",
        "grant select on all tables in schema flowledger_v1 to flowledger_reader",
        "grant execute on all functions in schema flowledger_v1 to flowledger_reader",
    ]


def test_what_a_restore_without_rights_gives_everybody_is_taken_away(
    connection: Connection,
) -> None:
    connection.execute("grant execute on all functions in schema flowledger to public")
    open_to_all = "select from flowledger.excess_grants() where subject = 'everybody'"
    assert connection.execute(open_to_all).fetchall() != []

    for statement in call(connection, "role_grant_statements", "reader"):
        if "flowledger_reader" not in statement:
            connection.execute(statement.encode())

    assert connection.execute(open_to_all).fetchall() == []


def test_an_auditor_writes_nothing(connection: Connection) -> None:
    found = call(connection, "role_grant_statements", "auditor")

    assert "grant select on all tables in schema flowledger to flowledger_auditor" in found
    words = {word for statement in found for word in statement.replace(",", " ").split()}
    assert words & {"insert", "update", "delete", "truncate", "create"} == set()


@pytest.mark.parametrize("role", ["submitter", "operator", "worker", "coordinator"])
def test_who_appends_changes_nothing_that_was_appended(connection: Connection, role: str) -> None:
    found = call(connection, "role_grant_statements", role)

    events = [statement for statement in found if "flowledger.event " in statement]
    assert events == [f"grant insert ({WRITTEN}) on flowledger.event to flowledger_{role}"]


def test_a_role_that_there_is_not_is_named(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="there is no role king"):
        call(connection, "role_grant_statements", "king")
