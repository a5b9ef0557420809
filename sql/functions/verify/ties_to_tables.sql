-- What was tied to the engine's tables from outside and no migration ties: a table that inherits
-- from one, whose rows are read with its rows; a foreign key to one, which refuses or repeats what is
-- done to it; an index that calls a function or operator of others whenever a row is written.

create or replace function flowledger.ties_to_tables()
returns table (subject text, field text, expected text, found text, place text)
language sql
stable
as $$
    with engine as (
        select c.oid, c.relname
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = 'flowledger' and c.relkind in ('r', 'p')
    ),

    others as (
        select c.kind, c.oid
        from (
            select 'pg_proc'::regclass as kind, p.oid, p.pronamespace as schema
            from pg_proc as p
            union all
            select 'pg_operator'::regclass, o.oid, o.oprnamespace
            from pg_operator as o
            union all
            select 'pg_opclass'::regclass, o.oid, o.opcnamespace
            from pg_opclass as o
        ) as c
        join pg_namespace as n on n.oid = c.schema
        where n.nspname not in ('pg_catalog', 'flowledger')
    )

    select
        'table ' || t.relname, t.tie, 'none', 'there', 'the schema flowledger'
    from (
        select e.relname, format('child %s', i.inhrelid::regclass) as tie
        from engine as e
        join pg_inherits as i on i.inhparent = e.oid
        union all
        select e.relname, format('foreign key %s of %s', c.conname, c.conrelid::regclass)
        from engine as e
        join pg_constraint as c on c.confrelid = e.oid and c.contype = 'f'
        where c.conrelid not in (select oid from engine)
        union all
        select e.relname, format('index %s with %s', x.indexrelid::regclass, case d.refclassid
            when 'pg_proc'::regclass then d.refobjid::regprocedure::text
            when 'pg_operator'::regclass then d.refobjid::regoperator::text
            else (select o.opcname from pg_opclass as o where o.oid = d.refobjid)::text
        end)
        from engine as e
        join pg_index as x on x.indrelid = e.oid
        join pg_depend as d on d.classid = 'pg_class'::regclass and d.objid = x.indexrelid
        join others as o on o.kind = d.refclassid and o.oid = d.refobjid
    ) as t
    order by 1, 2;
$$;
