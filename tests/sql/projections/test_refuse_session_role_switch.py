"""refuse_session_role_switch: methods of a projection end in the role that they were called in."""

from __future__ import annotations

import psycopg
import pytest

from support.sql_calls import Connection, call

NOTE = "select set_config('flowledger.projected_as', %s, false)"


def test_the_role_that_was_given_is_let_pass(connection: Connection) -> None:
    connection.execute(NOTE, ("writer",))

    call(connection, "refuse_session_role_switch", "writer")


@pytest.mark.parametrize("found", ["owner", ""])
def test_another_and_none_is_refused_by_name(connection: Connection, found: str) -> None:
    connection.execute(NOTE, (found,))

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="in the place of writer"):
        call(connection, "refuse_session_role_switch", "writer")
