-- What is in the schema flowledger_v1, for its reference page: every view and function with its
-- comment, and the names, types and comments of its columns, or of the columns of what it returns.
-- A function says what it takes, and what it returns where that is no table of its own.

create or replace function flowledger.describe_public_schema()
returns table (kind text, name text, takes text, "returns" text, comment text, columns json)
language sql
stable
as $$
    select
        'view', v.relname::text, null, null, coalesce(obj_description(v.oid, 'pg_class'), ''),
        (
            select json_agg(
                json_build_array(
                    a.attname,
                    format_type(a.atttypid, a.atttypmod),
                    coalesce(col_description(v.oid, a.attnum), '')
                )
                order by a.attnum
            )
            from pg_attribute as a
            where a.attrelid = v.oid and a.attnum > 0 and not a.attisdropped
        )
    from pg_class as v
    where v.relnamespace = 'flowledger_v1'::regnamespace and v.relkind = 'v'
    union all
    select
        'function', f.proname::text, pg_get_function_arguments(f.oid),
        case when o.columns is null then pg_get_function_result(f.oid) end,
        coalesce(obj_description(f.oid, 'pg_proc'), ''),
        coalesce(o.columns, '[]')
    from pg_proc as f
    left join lateral (
        select json_agg(
            json_build_array(f.proargnames[p.place], format_type(p.kind, null), '')
            order by p.place
        ) as columns
        from unnest(f.proallargtypes) with ordinality as p (kind, place)
        where f.proargmodes[p.place] = 't'
    ) as o on true
    where f.pronamespace = 'flowledger_v1'::regnamespace
    order by 1 desc, 2;
$$;
