"""require_not_null: an argument that is null is named. Every public function is held to it."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from support.sql_calls import Connection, call, new_id

FUNCTIONS = """
    select p.oid::regprocedure::text, p.proname, p.proargnames[1:p.pronargs]
    from pg_proc as p where p.pronamespace = 'flowledger_v1'::regnamespace order by 2
"""
ASKED = "select to_jsonb(f) - 'lag_seconds' from flowledger_v1.{}({}) as f"
NULLABLE = re.compile(r"of_\w+|steps|patience")


def test_what_is_given_passes_and_what_is_not_is_named(connection: Connection) -> None:
    call(connection, "require_not_null", "since", True)

    with pytest.raises(psycopg.errors.NullValueNotAllowed, match="since should be given"):
        call(connection, "require_not_null", "since", False)


def arguments(connection: Connection) -> list[tuple[str, str]]:
    """Each public function with each of its arguments that must be given."""
    return [(name, one) for name, one in every_argument(connection) if known(one)]


def every_argument(connection: Connection) -> list[tuple[str, str]]:
    """Each public function with each of its arguments."""
    found = connection.execute(FUNCTIONS).fetchall()
    return [(name, one) for _, name, names in found for one in names or ()]


def known(name: str) -> bool:
    return NULLABLE.fullmatch(name) is None


def test_every_public_function_refuses_a_null_for_what_it_needs(connection: Connection) -> None:
    silent = []
    for function, argument in arguments(connection):
        given: dict[str, Any] = {argument: None}
        if argument == "step_name":
            given["task"] = new_id()
        if argument == "task" and function in {"next_retry_at", "transitive_dependencies"}:
            given["step_name"] = "a"
        named = ", ".join(f"{name} => %({name})s" for name in given)
        try:
            query = "select * from flowledger_v1.{}({})".format(function, named)  # noqa: S608, UP032
            connection.execute(query.encode(), given)
        except (psycopg.errors.NullValueNotAllowed, psycopg.errors.NoDataFound):
            continue
        silent.append((function, argument))

    assert silent == []


def test_a_patience_that_is_null_is_as_none(connection: Connection) -> None:
    """Also where something was behind for as long, which is what the patience is for."""
    connection.execute(
        b"insert into flowledger.event (originator_id, originator_version, task_id, topic, state)"
        b" select id, 1, id, 'task.created', '' from gen_random_uuid() as id"
    )
    connection.execute(b"update flowledger.projection set position = 0")
    connection.execute(b"select flowledger.advance_test_clock('61 seconds')")
    asked = [name for name, argument in every_argument(connection) if argument == "patience"]
    assert len(asked) >= 3

    for name in asked:
        given, none = (
            connection.execute(ASKED.format(name, word).encode()).fetchall()
            for word in ("", "null")
        )
        assert none == given, name


def test_every_public_function_that_is_asked_about_a_task_names_one_that_there_is_not(
    connection: Connection,
) -> None:
    task, silent = new_id(), []
    for _, function, names in connection.execute(FUNCTIONS).fetchall():
        given: dict[str, Any] = {}
        for name in names or ():
            if name == "task":
                given[name] = task
            elif name == "tasks":
                given[name] = [task]
            elif name == "step_name":
                given[name] = "a"
            elif name == "of_namespace":
                given[name] = "nowhere"
        if not given:
            continue
        named = ", ".join(f"{name} => %({name})s" for name in given)
        try:
            query = "select * from flowledger_v1.{}({})".format(function, named)  # noqa: S608, UP032
            connection.execute(query.encode(), given)
        except psycopg.errors.NoDataFound as error:
            text = "there is no template nowhere" if "of_namespace" in given else f"no task {task}"
            assert text in str(error)  # noqa: PT017 - that it raises is asserted below
            continue
        silent.append(function)

    assert silent == []
