"""Rows that no check lets in, as they may be there from before the checks."""

from __future__ import annotations

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


def unchecked(connection: Connection, written: str) -> None:
    """Write a row of a shard that its check refuses, as it does what comes after."""
    checks = connection.execute(
        "select conname, pg_get_constraintdef(oid) from pg_constraint"
        " where contype = 'c' and conrelid = 'flowledger.shard'::regclass"
    ).fetchall()
    for name, _ in checks:
        connection.execute(f"alter table flowledger.shard drop constraint {name}".encode())
    connection.execute(written.encode())
    for name, condition in checks:
        added = f"alter table flowledger.shard add constraint {name} {condition}"
        connection.execute(added.encode())
