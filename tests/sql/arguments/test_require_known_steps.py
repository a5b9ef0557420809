"""require_known_steps: a step that the task's template does not have is named."""

from __future__ import annotations

import psycopg
import pytest

from support.builders import diamond
from support.sql_calls import Connection, Row, append
from support.stored_tasks import given_task

REQUIRE = "select flowledger.require_known_steps(%s, variadic %s::text[])"


def test_the_first_that_is_not_there_is_named(connection: Connection) -> None:
    task = given_task(connection, diamond())
    append(connection, Row(task, 1, "task.created", b"{}", task))

    connection.execute(REQUIRE, (task, ["start", "end"]))
    with pytest.raises(psycopg.errors.NoDataFound, match=f"task {task} has no step 'nope'"):
        connection.execute(REQUIRE, (task, ["start", "nope"]))
    with pytest.raises(psycopg.errors.NoDataFound, match="has no step 'nope'"):
        connection.execute("select * from flowledger_v1.step_readiness(%s, '{nope}')", (task,))
