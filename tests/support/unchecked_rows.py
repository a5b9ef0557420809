"""Rows that no check lets in, as they may be there from before the checks."""

from __future__ import annotations

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
