-- The views and sequences of a schema, and whatever else rows can be read from that is no table,
-- each with its definition: of a view the query and its options, of a sequence how it counts.

create or replace function flowledger.views_and_sequences(p_schema text)
returns table (name text, definition text)
language sql
stable
as $$
    select
        case c.relkind
            when 'v' then 'view'
            when 'm' then 'materialized view'
            when 'f' then 'foreign table'
            else 'sequence'
        end || ' ' || c.relname,
        case
            when c.relkind in ('v', 'm') then concat_ws(
                ' ', 'with (' || array_to_string(c.reloptions, ', ') || ')',
                btrim(regexp_replace(pg_get_viewdef(c.oid), '\s+', ' ', 'g'))
            )
            when c.relkind = 'S' then format(
                '%s from %s by %s between %s and %s, %s at once%s',
                format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
                s.seqcache, case when s.seqcycle then ', and around' else '' end
            )
            else 'there'
        end
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    left join pg_sequence as s on s.seqrelid = c.oid
    where n.nspname = p_schema and c.relkind in ('v', 'm', 'f', 'S')
    order by 1;
$$;
