"""close_to_public: nobody may call a function who was not given it."""

from __future__ import annotations

from support.generation_rows import make
from support.sql_calls import Connection, call

OPEN = """
    select f.oid::regprocedure::text
    from pg_proc as f join pg_namespace as n on n.oid = f.pronamespace
    where n.nspname ~ '^(flowledger|money)' and f.provolatile <> 'i'
        and has_function_privilege('public', f.oid, 'execute')
"""
LATER = "create function flowledger.later() returns integer language sql as 'select 1'"
OWN = (
    "create table {schema}.t (a int);"
    " create function {schema}.f() returns int language sql as 'select 1'"
)


def test_of_a_schema_that_was_migrated_none_is_everybodys(connection: Connection) -> None:
    make(connection, tables=OWN)

    assert connection.execute(OPEN).fetchall() == []


def test_what_was_made_later_is_closed_when_it_is_called_again(connection: Connection) -> None:
    connection.execute(LATER)
    assert connection.execute(OPEN).fetchall() == [("flowledger.later()",)]

    call(connection, "close_to_public")

    assert connection.execute(OPEN).fetchall() == []


def test_what_only_computes_reads_nothing(connection: Connection) -> None:
    """It stays everybody's, as views call it with the rights of whoever reads them."""
    found = connection.execute(
        "select proname from pg_proc where pronamespace = 'flowledger'::regnamespace"
        " and provolatile = 'i' and prosrc ~* 'flowledger\\.(?!state_after)|\\yexecute\\y'"
    ).fetchall()

    assert found == []
