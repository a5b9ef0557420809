-- Rows of these tables that their checks would refuse, as they were there before the checks, or came
-- in where there were none: the table, the check, and the row by its key. So are counts below the
-- most that a check lets in which cannot be counted on from (most_counted).

create or replace function flowledger.rows_against_checks(p_tables text[])
returns table (relation text, "check" text, key text)
language plpgsql
stable
as $$
declare
    r record;
begin
    for r in
        select
            t.relname, c.conname,
            regexp_replace(
                pg_get_expr(c.conbin, c.conrelid),
                '<= (1000000000(?!\d)|''1000000000000''::bigint)',
                '<= flowledger.most_counted(\1)', 'g'
            ) as condition,
            (
                select string_agg(format('%I', a.attname), ', ' order by a.attnum)
                from pg_index as i
                join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
                where i.indrelid = t.oid and i.indisprimary
            ) as key
        from pg_constraint as c
        join pg_class as t on t.oid = c.conrelid
        where c.connamespace = 'flowledger'::regnamespace and c.contype = 'c'
            and t.relname = any (p_tables)
        order by t.relname, c.conname
    loop
        return query execute format(
            'select %L, %L, concat_ws('' '', %s) from flowledger.%I where not (%s) order by 3',
            r.relname, r.conname, r.key, r.relname, r.condition
        );
    end loop;
end
$$;
