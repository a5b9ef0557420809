"""require_known_tasks: a task that was never submitted is named."""

from __future__ import annotations

import psycopg
import pytest

from support.sql_calls import Connection, Row, append, new_id

REQUIRE = "select flowledger.require_known_tasks(variadic %s::uuid[])"


def test_the_first_that_is_not_there_is_named(connection: Connection) -> None:
    known, unknown = new_id(), new_id()
    append(connection, Row(known, 1, "task.created", b"{}", known))

    connection.execute(REQUIRE, ([known],))
    with pytest.raises(psycopg.errors.NoDataFound, match=f"there is no task {unknown}"):
        connection.execute(REQUIRE, ([known, unknown, new_id()],))
    with pytest.raises(psycopg.errors.NullValueNotAllowed, match="task should be given"):
        connection.execute(REQUIRE, ([known, None],))
