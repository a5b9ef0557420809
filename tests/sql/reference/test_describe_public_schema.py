"""The public schema: an object is a file, and can be read by who may read nothing else."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from support.sql_calls import Connection

SQL = Path(__file__).parents[3] / "sql"
VIEWS = sorted(path for path in SQL.glob("v1/*/*.sql") if "replace view" in path.read_text("utf-8"))
FUNCTIONS = sorted(set(SQL.glob("v1/*/*.sql")) - set(VIEWS))
KEYED = [
    "dependency_levels",
    "next_retry_at",
    "ready_tasks",
    "step_readiness",
    "step_readiness_batch",
    "stuck_tasks",
    "system_health",
    "task_events",
    "task_execution_context",
    "task_execution_contexts",
    "task_summary",
    "task_transitions",
    "transitive_dependencies",
]


@pytest.mark.parametrize("file", [*VIEWS, *FUNCTIONS], ids=lambda file: file.stem)
def test_an_object_is_a_file_with_a_comment(file: Path) -> None:
    text = file.read_text("utf-8")
    kind = "view" if file in VIEWS else "function"

    assert text.startswith("-- ")
    assert f"create or replace {kind} flowledger_v1.{file.stem}" in text
    assert f"comment on {kind} flowledger_v1.{file.stem}" in text


def test_every_object_of_the_schema_has_a_file(connection: Connection) -> None:
    found = connection.execute(
        "select relname from pg_class where relnamespace = 'flowledger_v1'::regnamespace"
        " union all"
        " select proname from pg_proc where pronamespace = 'flowledger_v1'::regnamespace"
    ).fetchall()

    assert sorted(name for (name,) in found) == sorted(file.stem for file in [*VIEWS, *FUNCTIONS])


def refused(connection: Connection, role: bytes) -> list[str]:
    """The views that the role may not read."""
    connection.execute(b"set role %b" % role)
    found = []
    for name in (file.stem for file in VIEWS):
        try:
            connection.execute(f"select * from flowledger_v1.{name}".encode())  # noqa: S608
        except psycopg.errors.InsufficientPrivilege:
            found.append(name)
    return found


def test_a_reader_reads_every_view(connection: Connection) -> None:
    assert refused(connection, b"flowledger_reader") == []


def test_nobody_else_reads_any(connection: Connection) -> None:
    assert refused(connection, b"pg_monitor") == [file.stem for file in VIEWS]


def test_functions_change_nothing_and_find_only_what_the_server_brings(
    connection: Connection,
) -> None:
    """They have a search path of their own, or run as who asks and their names are resolved."""
    found = connection.execute(
        "select proname from pg_proc"
        " where pronamespace = 'flowledger_v1'::regnamespace and not (provolatile = 's' and ("
        " coalesce('search_path=pg_catalog, pg_temp' = any (proconfig), false)"
        " or not prosecdef and prosqlbody is not null))"
    ).fetchall()

    assert found == []


def test_what_looks_up_by_key_is_planned_as_the_engine_plans(connection: Connection) -> None:
    planned = {"plan_cache_mode=force_generic_plan", "enable_seqscan=off", "jit=off"}
    found = connection.execute(
        "select proname, proconfig from pg_proc"
        " where pronamespace = 'flowledger_v1'::regnamespace and proname = any (%s)",
        (KEYED,),
    ).fetchall()

    assert sorted(name for name, settings in found if planned <= {*settings}) == KEYED
