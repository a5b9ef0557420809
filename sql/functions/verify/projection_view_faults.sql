-- What is not as it was made of the views by which a projection is read: a view that shows another
-- thing than the table of its name in the generation that serves, that is missing, or that nobody
-- knows, and what acts in between: triggers and rules on the views, functions beside them, rules and
-- row security on the tables, where a projection's own words make none.

create or replace function flowledger.projection_view_faults()
returns table (subject text, field text, expected text, found text, place text)
language sql
stable
as $$
    with serving as materialized (
        select p.name, n.oid as tables, v.oid as views, n.nspname as made_in,
            p.tables ~* '\m(rule|security)\M' as guards_itself
        from flowledger.projection as p
        join pg_namespace as n on n.nspname = p.name || '__' || p.generation
        left join pg_namespace as v on v.nspname = p.name
        where p.state = 'serving'
    ),

    -- As the server tells a view of all columns of a table: before 16 it tells the table with each.
    view as materialized (
        select
            s.name, s.views, c.oid, c.relname,
            replace(
                regexp_replace(btrim(pg_get_viewdef(c.oid)), '\s+', ' ', 'g'),
                quote_ident(c.relname) || '.', ''
            ) as defined,
            format(
                'SELECT %s FROM %I.%I;',
                (
                    select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
                    from pg_attribute as a
                    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                ),
                s.made_in, c.relname
            ) as shows_all
        from serving as s
        join pg_class as c on c.relnamespace = s.views and c.relkind = 'v'
    ),

    table_of as materialized (
        select s.name, s.views, s.guards_itself, c.oid, c.relname, c.relrowsecurity
        from serving as s
        join pg_class as c on c.relnamespace = s.tables and c.relkind in ('r', 'p', 'v', 'm')
    ),

    fault as (
        select format('view %s.%s', v.name, v.relname) as subject, 'all of its table' as expected,
            'another' as found
        from view as v
        where v.defined <> v.shows_all and exists (
            select from table_of as t where t.name = v.name and t.relname = v.relname
        )
        union all
        select format('view %s.%s', t.name, t.relname), 'all of its table', 'missing'
        from table_of as t
        where not exists (select from view as v where v.name = t.name and v.relname = t.relname)
        union all
        select
            format(
                '%s %s.%s', case when c.relkind = 'v' then 'view' else 'relation' end, s.name,
                c.relname
            ),
            'none', 'there'
        from serving as s
        join pg_class as c on c.relnamespace = s.views
            and (
                c.relkind in ('r', 'p', 'm', 'f')
                or c.relkind = 'v' and not exists (
                    select from table_of as t where t.name = s.name and t.relname = c.relname
                )
            )
        union all
        select format('function %s', f.oid::regprocedure), 'none', 'there'
        from serving as s
        join pg_proc as f on f.pronamespace = s.views
        union all
        select format('trigger %s on %s.%s', t.tgname, v.name, v.relname), 'none', 'there'
        from view as v
        join pg_trigger as t on t.tgrelid = v.oid and not t.tgisinternal
        union all
        select format('rule %s on %s', w.rulename, w.ev_class::regclass), 'none', 'there'
        from (
            select v.oid from view as v
            union all
            select t.oid from table_of as t where not t.guards_itself
        ) as r
        join pg_rewrite as w on w.ev_class = r.oid and w.rulename <> '_RETURN'
        union all
        select format('row security on %s', t.oid::regclass), 'none', 'there'
        from table_of as t
        where t.relrowsecurity and not t.guards_itself
    )

    select f.subject, 'definition', f.expected, f.found, 'the views of projections'
    from fault as f;
$$;
