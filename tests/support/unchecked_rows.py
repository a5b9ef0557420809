"""Rows that no check lets in, as they may be there from before the checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from support.engines import EngineHarness
from support.sql_calls import Connection

DROP_CHECKS = """
do $drop$
declare
    r record;
begin
    for r in
        select c.conrelid::regclass as relation, c.conname as name
        from pg_constraint as c
        where c.connamespace = 'flowledger'::regnamespace and c.contype = 'c'
    loop
        execute concat('alter table ', r.relation, ' drop constraint ', quote_ident(r.name));
    end loop;
end
$drop$
"""

CHECKS = """
    select
        'alter table ' || conrelid::regclass || ' '
            || string_agg('drop constraint ' || conname, ', '),
        'alter table ' || conrelid::regclass || ' '
            || string_agg('add constraint ' || conname || ' ' || pg_get_constraintdef(oid), ', ')
    from pg_constraint
    where contype = 'c' and connamespace = 'flowledger'::regnamespace and not convalidated
    group by conrelid
"""
"""Statements that take the checks of a table away, and that give them back."""


def plant(harness: EngineHarness, *statements: str) -> None:
    """Write rows as before there were checks, which do not look at what was there."""
    for statement in around(harness.rows(CHECKS), statements):
        harness.rows(statement)


def plant_on(connection: Connection, *statements: str) -> None:
    """The same on a connection."""
    checks = connection.execute(CHECKS.encode()).fetchall()
    for statement in around(checks, statements):
        connection.execute(statement.encode())


def around(checks: Sequence[tuple[Any, ...]], statements: Iterable[str]) -> list[str]:
    """The statements, with those around them that take the checks away and give them back."""
    return [*(away for away, _ in checks), *statements, *(back for _, back in checks)]
